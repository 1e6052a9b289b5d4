"""Groups and splits of rows as they come: copies share a split, and no earlier row ever moves."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fuseline.data.ingest.candidate import Candidate, Record
from fuseline.data.ingest.duplicates import Contents, Copy, CopySearch
from fuseline.data.ingest.duplicates.search import ALL, COMPARED
from fuseline.data.ingest.joins import Joins, LargestGroup
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.split import Splitter, shares_of_train
from fuseline.data.sources.base import brief
from fuseline.params.ingest import IngestParams

MAX_LISTED_CONFLICTS = 50


class Assigner:
    """Gives each row its group and split, by the rows before it.

    A row that copies an earlier one joins its group; a group of the user's whose first row does
    so becomes another name of that group. A row that belongs to groups in different splits cannot
    be kept: the rows before it are never moved, so that tables written earlier stay as they are.

    A row may come with a split of its own. A new group goes where its first row says; such groups
    do not count towards the shares, so that all others lie where they would without them. Rows that
    come as training rows are divided among training and `ingest.split.from_train`.
    """

    def __init__(self, params: IngestParams) -> None:
        self._search = CopySearch(params.duplicates, params.limits.max_images)
        self._splitter = Splitter(params.split)
        self._train_splitter = Splitter(shares_of_train(params.split))
        self._from_train = frozenset(params.split.from_train)
        # Groups by number: name, split, first row and number of rows.
        self._names: list[str] = []
        self._splits: list[str] = []
        self._first_rows = array("q")
        self._sizes = array("q")
        # Whether the split was drawn by the shares of all, not given by the first row.
        self._drawn = array("b")
        self._joins = Joins()
        # The group that a user's group, or an id standing for one, turned out to be. A row may name
        # the id of another as its group.
        self._group_of: dict[str, int] = {}
        # Kept rows by number.
        self._ids: list[str] = []
        self._labels: list[str | None] = []
        self._groups = array("q")
        self._copies: Counter[str] = Counter()
        self._joined = 0
        self._num_conflicts = 0
        self.conflicts: list[dict[str, Any]] = []

    def assign(self, block: Sequence[Candidate]) -> Iterator[Record | Refusal]:
        """Complete each row's record with `group` and `split`, or refuse it.

        The split of a record is the user's own or None; one that is given is never changed. A
        refusal is always `straddles_splits`.
        """
        for candidate, contents in zip(block, self._search.read(block), strict=True):
            yield self._assign(candidate.record, contents)

    def _assign(self, record: Record, contents: Contents) -> Record | Refusal:
        copies = self._search.copies(contents)
        key = record["group"] or record["example_id"]
        own = self._group_of.get(key)
        # Why the row belongs to a split, by the split; the first reason of each.
        given = record["split"]
        ties = {given: f"its own split is {given}"} if given else {}
        if own is not None and self._splits[own] not in ties:
            ties[self._splits[own]] = self._in_group(key, own)
        for copy in copies:
            # Worded for the first of a split alone: a row may have fifty copies.
            if (split := self._splits[self._groups[copy.row]]) not in ties:
                ties[split] = self._copying(copy, split)
        if given == "train" and len(ties) == 2 and ties.keys() - {given} <= self._from_train:
            # Its group, or what it copies, was taken from the training rows, and it goes along.
            del ties[given]
        if len(ties) > 1:
            sentence = ", but ".join(ties.values())
            return Refusal("straddles_splits", f"{sentence[0].upper()}{sentence[1:]}.")
        if own is None:
            own = self._groups[copies[0].row] if copies else self._new_group(key, record)
            self._group_of[key] = own
            self._joined += bool(copies)
            self._joins.note_name(own, copies)
        self._joins.note_copy(own, self._ids, record["example_id"], copies)
        self._count(record, copies)
        self._keep(record, own, contents)
        record["group"], record["split"] = self._names[own], self._splits[own]
        return record

    def _new_group(self, name: str, first: Record) -> int:
        self._names.append(name)
        self._splits.append(self._new_split(name, first))
        self._drawn.append(not first["split"])
        self._first_rows.append(len(self._ids))
        self._sizes.append(0)
        return len(self._names) - 1

    def _new_split(self, name: str, first: Record) -> str:
        if first["split"] == "train" and self._from_train:
            return self._train_splitter.assign(name, first["label"])
        return first["split"] or self._splitter.assign(name, first["label"])

    def _keep(self, record: Record, group: int, contents: Contents) -> None:
        self._search.keep(contents)
        self._ids.append(record["example_id"])
        self._labels.append(record["label"])
        self._groups.append(group)
        self._sizes[group] += 1

    def _count(self, record: Record, copies: list[Copy]) -> None:
        if not copies:
            return
        modalities = {copy.modality for copy in copies}
        self._copies.update(["rows", *([ALL] if ALL in modalities else modalities)])
        for copy in copies:
            label = self._labels[copy.row]
            if label != record["label"]:
                self._num_conflicts += 1
                if len(self.conflicts) < MAX_LISTED_CONFLICTS:
                    self.conflicts.append(
                        {
                            "example_ids": [self._ids[copy.row], record["example_id"]],
                            "labels": [label or "", record["label"] or ""],
                            "alike_in": copy.modality,
                        }
                    )
                return

    def _in_group(self, key: str, own: int) -> str:
        first = self._ids[self._first_rows[own]]
        return (
            f"its group {brief(key)!r}, that of row {brief(first)!r}, lies in {self._splits[own]}"
        )

    def _copying(self, copy: Copy, split: str) -> str:
        what = "all that it holds" if copy.modality == ALL else f"its {copy.modality}"
        return f"it copies row {brief(self._ids[copy.row])!r} in {split} by {what}"

    def drawn_groups(self) -> list[tuple[str, str | None]]:
        """Names of the groups whose splits were drawn by the shares of all, in the order in which
        they came, each with the label that it was drawn by."""
        return [
            (name, self._labels[first])
            for name, first, drawn in zip(self._names, self._first_rows, self._drawn, strict=True)
            if drawn
        ]

    @property
    def given_splits(self) -> frozenset[str]:
        """Where the groups lie whose first row came with a split."""
        return frozenset(
            split for split, drawn in zip(self._splits, self._drawn, strict=True) if not drawn
        )

    def largest_drawn(self) -> LargestGroup | None:
        """The largest of these groups; None where there is none."""
        numbers = [group for group, drawn in enumerate(self._drawn) if drawn]
        if not numbers:
            return None
        largest = max(numbers, key=lambda group: (self._sizes[group], -group))
        return LargestGroup(
            name=self._names[largest],
            first_id=self._ids[self._first_rows[largest]],
            split=self._splits[largest],
            rows=self._sizes[largest],
            share=self._sizes[largest] / sum(self._sizes[group] for group in numbers),
            joins=self._joins.of(largest, self._sizes[largest]),
        )

    def metrics(self) -> dict[str, Any]:
        """What was found of copies, rows of rare labels included.

        `rows` copy an earlier row; by modality, those that are alike in all count under `all`
        alone.
        """
        return {
            "rows": self._copies["rows"],
            "by_modality": {name: self._copies[name] for name in (ALL, *COMPARED)},
            "groups_joined": self._joined,
            "label_conflicts": self._num_conflicts,
            "largest_group_share": max(self._sizes, default=0) / max(len(self._ids), 1),
        }
