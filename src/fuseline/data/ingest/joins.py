"""What made one group of rows: copies, or the name that the user gave them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fuseline.data.ingest.duplicates import Copy

GROUP = "group"


@dataclass(frozen=True)
class Join:
    """One cause that brought rows into a group.

    Attributes:
        cause: `group`, where they bear its name, or the modality by which they copy a row of it;
            `all` where they are alike in all.
        rows: how many it brought.
        pair: ids of the first two rows that it joined; none of `group`.
        names: how many names of the user's became one by it.
    """

    cause: str
    rows: int
    pair: tuple[str, str] | None
    names: int


@dataclass(frozen=True)
class LargestGroup:
    """The group that holds most rows of those that `ingest` splits.

    Attributes:
        name, first_id: its name, and the id of its first row.
        split: where it lies.
        rows: how many it holds.
        share: of all rows whose split was drawn.
        joins: what brought rows into it, the gravest cause first.
    """

    name: str
    first_id: str
    split: str
    rows: int
    share: float
    joins: list[Join]


class Joins:
    """Counts by group and cause; groups without a copy cost nothing."""

    def __init__(self) -> None:
        self._rows: dict[int, Counter[str]] = {}
        self._names: dict[int, Counter[str]] = {}
        self._pairs: dict[tuple[int, str], tuple[str, str]] = {}

    def note_name(self, group: int, copies: Sequence[Copy]) -> None:
        """A name became the group's as its first row copies one of the group."""
        if copies:
            self._names.setdefault(group, Counter())[copies[0].modality] += 1

    def note_copy(
        self, group: int, ids: Sequence[str], example_id: str, copies: Sequence[Copy]
    ) -> None:
        """A further row copies one of the group."""
        if copies:
            cause = copies[0].modality
            self._rows.setdefault(group, Counter())[cause] += 1
            self._pairs.setdefault((group, cause), (ids[copies[0].row], example_id))

    def of(self, group: int, size: int) -> list[Join]:
        """What joined the rows of a group of some size: first what made one of several names, then
        the commonest. Rows that neither came first nor copy any bear its name."""
        names = self._names.get(group, Counter())
        copies = self._rows.get(group, Counter())
        joins = [
            Join(cause, rows, self._pairs.get((group, cause)), names[cause])
            for cause, rows in copies.items()
        ]
        if named := size - 1 - copies.total():
            joins.append(Join(GROUP, named, None, 0))
        return sorted(joins, key=lambda join: (-join.names, -join.rows, join.cause))
