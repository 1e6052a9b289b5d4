"""Which kept rows hold a modality's contents, and how many different rows do."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

_NONE = -1


class Holders:
    """Of one modality, for each distinct content: its first row, and its cluster.

    A cluster joins contents that are nearly equal, one to the next; it goes by the number of its
    first content. Rows are numbered as they are kept.
    """

    def __init__(self) -> None:
        self._first_row = array("q")
        self._cluster = array("q")
        # By cluster: rows that hold one of its contents and are not alike in all.
        self._different_rows = array("q")

    def cluster(self, value: int, near: Iterable[int]) -> int:
        """The cluster of a content: its own, or that of the first kept content near it."""
        if self._is_kept(value):
            return self._cluster[value]
        return min((self._cluster[other] for other in near if self._is_kept(other)), default=value)

    def first_rows(self, values: Iterable[int]) -> Iterator[int]:
        """The first kept row of each content that has one."""
        return (self._first_row[value] for value in values if self._is_kept(value))

    def different_rows(self, cluster: int) -> int:
        """How many rows that differ otherwise hold a content of the cluster."""
        return self._different_rows[cluster] if cluster < len(self._different_rows) else 0

    def keep(self, row: int, value: int, cluster: int, *, is_new: bool) -> None:
        """Note that a kept row holds the content; `is_new` where no earlier row is alike in all."""
        missing = value + 1 - len(self._first_row)
        if missing > 0:
            self._first_row.extend([_NONE] * missing)
            self._cluster.extend([_NONE] * missing)
            self._different_rows.extend([0] * missing)
        if self._first_row[value] == _NONE:
            self._first_row[value], self._cluster[value] = row, cluster
        self._different_rows[cluster] += is_new

    def _is_kept(self, value: int) -> bool:
        return value < len(self._first_row) and self._first_row[value] != _NONE
