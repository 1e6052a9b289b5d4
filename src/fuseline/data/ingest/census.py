"""What the kept rows hold to learn from, split by split."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from fuseline.data.ingest.shards import ShardedTable
from fuseline.data.notices import FEW_TRAINING_ROWS
from fuseline.params.ingest import TargetKind


@dataclass
class TargetCensus:
    """A target column.

    Attributes:
        kind: of the target.
        rows: that have a cell, by split.
        values: two at most of the different values that training rows have: cells, or tags.
    """

    kind: TargetKind
    rows: Counter[str] = field(default_factory=Counter)
    values: list[str] = field(default_factory=list)

    def add(self, split: str, cells: list[str]) -> None:
        """Count the cells of rows of one split."""
        self.rows[split] += len(cells)
        if split == "train":
            values = (
                [tag for cell in cells for tag in cell.split()] if self.kind == "tags" else cells
            )
            self.values = list(dict.fromkeys([*self.values, *values]))[:2]


@dataclass(frozen=True)
class Census:
    """Counts of the kept rows.

    Attributes:
        splits: rows by split.
        labels: rows by split, by label; without the rows that have none.
        targets: by name.
    """

    splits: Counter[str]
    labels: dict[str, Counter[str]]
    targets: dict[str, TargetCensus]

    @property
    def untrained(self) -> dict[str, int]:
        """Labels that no training row has, with their numbers of rows; none of a set without any
        training row."""
        if not self.splits["train"]:
            return {}
        return {label: rows.total() for label, rows in self.labels.items() if not rows["train"]}

    def metrics(self) -> dict[str, float]:
        """What the rows allow to learn and to measure: fixed keys."""
        trained = [rows["train"] for rows in self.labels.values()]
        return {
            "test_interval_width": interval_width(self.splits["test"]),
            "fewest_training_rows": min(trained, default=0),
            "thin_labels": sum(rows < FEW_TRAINING_ROWS for rows in trained),
            **{
                f"labels_without_{split}_rows": sum(
                    not rows[split] for rows in self.labels.values()
                )
                for split in ("dev", "test")
            },
            **{
                f"targets_without_{split}_rows": sum(
                    not target.rows[split] for target in self.targets.values()
                )
                for split in ("dev", "test")
            },
        }


def take_census(examples: ShardedTable, targets: Mapping[str, TargetKind]) -> Census:
    """Count the rows of a table whose shards are all written; no medium is read."""
    census = Census(Counter(), {}, {name: TargetCensus(kind) for name, kind in targets.items()})
    columns = ["split", "label", *(["targets"] if targets else [])]
    for name in examples.names:
        table = examples.read(name, columns)
        counted = table.group_by(["split", "label"]).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            census.splits[row["split"]] += row["count_all"]
            if row["label"] is not None:
                census.labels.setdefault(row["label"], Counter())[row["split"]] += row["count_all"]
        for split in pc.unique(table.column("split")).to_pylist() if targets else ():
            rows = table.filter(pc.equal(table.column("split"), split)).column("targets")
            _count_targets(census.targets, split, rows.chunks)
    return Census(census.splits, dict(sorted(census.labels.items())), census.targets)


def _count_targets(
    targets: Mapping[str, TargetCensus], split: str, chunks: Iterable[pa.MapArray]
) -> None:
    for cells in chunks:
        for name, target in targets.items():
            found = pc.map_lookup(cells, pa.scalar(name), "first")
            target.add(split, found.drop_null().to_pylist())


def interval_width(rows: int) -> float:
    """How wide the 95 % interval (Wilson 1927) of a share is that is measured on some rows, where
    it is widest: at one half; 1 without rows."""
    squared = 1.959964**2
    return math.sqrt(squared / (rows + squared))
