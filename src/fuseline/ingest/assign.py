"""Groups and splits of rows as they come: copies share a split, and no earlier row ever moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fuseline.ingest.candidate import Candidate, Record
from fuseline.ingest.duplicates import Copy, CopySearch
from fuseline.ingest.refusal import Refusal
from fuseline.ingest.split import Splitter
from fuseline.params.ingest import IngestParams

MAX_LISTED_CONFLICTS = 50


@dataclass(frozen=True)
class _Placed:
    """A kept row, as far as later ones need to know it."""

    example_id: str
    label: str | None
    group: str
    split: str


class Assigner:
    """Gives each row its group and split, by the rows before it.

    A row that copies an earlier one joins its group; a group of the user's whose first row does
    so becomes another name of that group. A row that belongs to two groups in different splits
    cannot be kept: rows that later ones join are never moved, so that tables written before stay
    as they are.
    """

    def __init__(self, params: IngestParams) -> None:
        self._search = CopySearch(params.duplicates)
        self._splitter = Splitter(params.split)
        # Of every row that was searched; None where it was not kept.
        self._placed: list[_Placed | None] = []
        # The group that a user's group turned out to be, and the split of each such group.
        self._group_of: dict[str, str] = {}
        self._split_of: dict[str, str] = {}
        self._rows_of: Counter[str] = Counter()
        self._copies: Counter[str] = Counter()
        self._joined = 0
        self._num_conflicts = 0
        self.conflicts: list[dict[str, Any]] = []

    def assign(self, block: Sequence[Candidate]) -> list[Record | Refusal]:
        """Complete each row's record with `group` and `split`, or refuse it.

        A refusal is always `straddles_splits`.
        """
        return [
            self._one(candidate, copies)
            for candidate, copies in zip(block, self._search.add(block), strict=True)
        ]

    def _one(self, candidate: Candidate, copies: list[Copy]) -> Record | Refusal:
        record = candidate.record
        sources = [(placed, copy.modality) for copy in copies if (placed := self._placed[copy.row])]
        own = self._group_of.get(record["group"] or "")
        groups = dict.fromkeys([*([own] if own else []), *(row.group for row, _ in sources)])
        splits = {group: self._split_of[group] for group in groups}
        if len(set(splits.values())) > 1:
            self._placed.append(None)
            return _straddling(record, own, splits, sources)
        group = next(iter(groups), None)
        if group is None:
            group = record["group"] or record["example_id"]
            # A row's own id may be the name of somebody else's group.
            while group in self._split_of:
                group += "+"
            self._split_of[group] = self._splitter.assign(group, record["label"])
        if record["group"]:
            self._joined += record["group"] not in self._group_of and group != record["group"]
            self._group_of.setdefault(record["group"], group)
        self._count(record, sources)
        placed = _Placed(record["example_id"], record["label"], group, self._split_of[group])
        self._placed.append(placed)
        self._rows_of[group] += 1
        return record | {"group": group, "split": placed.split}

    def _count(self, record: Record, sources: list[tuple[_Placed, str]]) -> None:
        if not sources:
            return
        self._copies["rows"] += 1
        self._copies.update({modality for _, modality in sources})
        for row, modality in sources:
            if row.label != record["label"]:
                self._num_conflicts += 1
                if len(self.conflicts) < MAX_LISTED_CONFLICTS:
                    self.conflicts.append(
                        {
                            "example_ids": [row.example_id, record["example_id"]],
                            "labels": [row.label or "", record["label"] or ""],
                            "alike_in": modality,
                        }
                    )
                return

    def metrics(self) -> dict[str, Any]:
        """What was found of copies."""
        rows = self._rows_of.total()
        return {
            "rows": self._copies["rows"],
            "by_modality": {
                modality: self._copies[modality]
                for modality in ("all", "text", "image", "audio", "video")
            },
            "groups_joined": self._joined,
            "label_conflicts": self._num_conflicts,
            "largest_group_share": max(self._rows_of.values(), default=0) / max(rows, 1),
        }


def _straddling(
    record: Record,
    own: str | None,
    splits: dict[str, str],
    sources: list[tuple[_Placed, str]],
) -> Refusal:
    evidence = [f"its group {record['group']!r} lies in {splits[own]}"] if own else []
    seen = {splits[own]} if own else set()
    for row, modality in sources:
        if row.split not in seen:
            seen.add(row.split)
            what = "everything" if modality == "all" else f"its {modality}"
            evidence.append(f"it is like {row.example_id!r} in {row.split} by {what}")
    sentence = ", and ".join(evidence)
    return Refusal("straddles_splits", f"{sentence[0].upper()}{sentence[1:]}.")
