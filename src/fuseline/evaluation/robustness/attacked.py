"""What becomes of each row at the headline perturbation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor


class Attacked:
    """N rows under attack.

    Args:
        right: (N,) bool, right without an attack.
        logits: (N, C) float32 of the clean pass; None if logits are not to be kept, since those of
            long texts take much memory.

    Attributes:
        standing: (N,) bool, right under every attack once the attacks are over.
    """

    def __init__(self, right: np.ndarray, logits: np.ndarray | None) -> None:
        self.standing = right.copy()
        self._logits = None if logits is None else logits.copy()
        self._fallen = np.zeros(len(right), dtype=bool)

    @property
    def known_logits(self) -> np.ndarray:
        """(N, C): of a row that fell those of the delta that broke it; of another those of the
        last delta that was checked; of a row that was never attacked, such as one that is wrong
        without an attack, those of the clean pass."""
        assert self._logits is not None, "asked of a task whose logits are not kept"
        return self._logits

    def state(self) -> dict[str, np.ndarray]:
        """What was noted so far."""
        kept = {} if self._logits is None else {"logits": self._logits}
        return {"fallen": self._fallen, **kept}

    def take(self, rows: np.ndarray) -> Attacked:
        """Some of the rows by themselves."""
        return Attacked(self.standing[rows], None if self._logits is None else self._logits[rows])

    def put(self, rows: np.ndarray, state: Mapping[str, np.ndarray]) -> None:
        """Note the `state` of some of the rows."""
        self._fallen[rows] = state["fallen"]
        if self._logits is not None:
            self._logits[rows] = state["logits"]

    def note(self, rows: np.ndarray, logits: Tensor, fallen: Tensor) -> None:
        """Keep what a check found, at the headline scale or below it: what breaks a row within a
        smaller ball breaks it within this one.

        Args:
            rows: (B,) their numbers.
            logits: (B, C).
            fallen: (B,) bool, whether they are wrong.
        """
        if self._logits is None:
            return
        still = ~self._fallen[rows]
        self._logits[rows[still]] = logits.numpy()[still]
        self._fallen[rows] |= fallen.numpy()
