"""Arrays that grow row by row."""

from __future__ import annotations

import numpy as np


class GrowingArray:
    """A (N, width) array; its memory doubles, so that adding a row costs the same at any size."""

    def __init__(self, width: int, dtype: type) -> None:
        self._values: np.ndarray = np.zeros((0, width), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> np.ndarray:
        return self._values[: self._length]

    def extend(self, rows: np.ndarray) -> None:
        """Add (n, width) rows."""
        needed = self._length + len(rows)
        if needed > len(self._values):
            larger = np.zeros((max(needed, 2 * len(self._values)), rows.shape[1]), rows.dtype)
            larger[: self._length] = self.values
            self._values = larger
        self._values[self._length : needed] = rows
        self._length = needed
