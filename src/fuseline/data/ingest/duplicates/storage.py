"""Arrays that grow row by row to millions, and sorted keys that are searched while they grow."""

from __future__ import annotations

import numpy as np

_FIRST_ROWS = 1024


class GrowingArray:
    """Rows of one width and type; room doubles, so that adding a row costs a constant time.

    Args:
        width: values a row.
        dtype: their type.
    """

    def __init__(self, width: int, dtype: type[np.generic]) -> None:
        self._room = np.empty((_FIRST_ROWS, width), dtype)
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, rows: np.ndarray) -> None:
        """Add rows (N, width)."""
        needed = self._rows + len(rows)
        if needed > len(self._room):
            room = np.empty((max(needed, 2 * len(self._room)), *self._room.shape[1:]), rows.dtype)
            room[: self._rows] = self._room[: self._rows]
            self._room = room
        self._room[self._rows : needed] = rows
        self._rows = needed

    @property
    def rows(self) -> np.ndarray:
        """All rows (N, width), as a view that the next `append` makes stale."""
        return self._room[: self._rows]


class SortedRuns:
    """A multimap from 64-bit keys to ordinals, 12 bytes an entry.

    Entries lie in sorted runs, each at least twice as long as the next, as in a log-structured
    merge tree (O'Neil et al. 1996): adding n entries costs O(n log n) in all, a look-up O(log² n).
    Ordinals never fall from one call of `add` to the next.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, keys: np.ndarray, ordinals: np.ndarray) -> None:
        """Add entries: keys (N,) uint64, ordinals (N,) uint32, rising for equal keys."""
        if not len(keys):
            return
        self._runs.append(_sorted(keys, ordinals))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            later, earlier = self._runs.pop(), self._runs.pop()
            # Equal keys stay in the order of their ordinals: the sort is stable.
            self._runs.append(_sorted(*map(np.concatenate, zip(earlier, later, strict=True))))

    def find(self, keys: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Look keys up, the first `limit` ordinals of each.

        Returns:
            pairs of a position in `keys` and an ordinal, two arrays of one length.
        """
        # Keys in order walk a run from one end to the other, which caches like.
        order = np.argsort(keys)
        keys = keys[order]
        taken = np.zeros(len(keys), np.int64)
        positions, ordinals = [np.empty(0, np.int64)], [np.empty(0, np.uint32)]
        for run_keys, run_ordinals in self._runs:
            places = np.searchsorted(run_keys, keys)
            hit = np.flatnonzero(run_keys[np.minimum(places, len(run_keys) - 1)] == keys)
            hit = hit[places[hit] < len(run_keys)]
            places = places[hit]
            while len(hit):
                free = taken[hit] < limit
                hit, places = hit[free], places[free]
                positions.append(hit)
                ordinals.append(run_ordinals[places])
                taken[hit] += 1
                places = places + 1
                inside = places < len(run_keys)
                hit, places = hit[inside], places[inside]
                same = run_keys[places] == keys[hit]
                hit, places = hit[same], places[same]
        return order[np.concatenate(positions)], np.concatenate(ordinals)


def _sorted(keys: np.ndarray, ordinals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(keys, kind="stable")
    return keys[order], ordinals[order]
