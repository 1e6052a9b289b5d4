"""Figures of two runs side by side, and how far they may lie apart.

Another processor rounds otherwise, a training carries that on, and some answers of the model flip.
What no rounding can change is held exactly: counts, names, switches. What a few answers change
may move by as much as a few answers move it. Where another epoch is best, what only goes with the
epoch is not held.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fuseline.pipeline.metrics_file import joined

# Rows whose answer may flip where a figure says over how few rows it was taken.
FLIPPED_ROWS = 2

# Metrics have six decimals, each of two may be off by half of the last.
ROUNDING = 1e-6

# Not compared: an epoch is best by a hair, a p value leaps with one row, an attack costs as many
# passes as rows withstand it, and a sentence only repeats figures.
NOT_COMPARED = frozenset({"best_epoch", "p_value", "forward_passes", "backward_passes", "says"})

# Not compared where another epoch is best: how long a patient training ran, and what was measured
# in that epoch but did not choose it.
OF_THE_EPOCH = frozenset({"epochs", "steps", "train.loss", "train.accuracy", "dev.loss"})

# Unbounded, and compared by their share.
LOSSES = frozenset({"loss", "nll"})

# Beginnings of names of whole numbers that count answers of a model, not rows of the data.
ANSWER_COUNTS = (
    *("confusion_matrix", "right_by_", "unmovable_rows", "fallen"),
    *("near", "equal", "label_conflicts", "suspicio"),
)

Figure = str | bool | int | float | None


@dataclass(frozen=True)
class Difference:
    """One figure that is not the same, and how far apart it may be.

    Attributes:
        key: file and dotted key.
        before: the revision's value; `ABSENT` where it has none.
        now: the value here, likewise.
        excess: distance over the allowed one; above 1 is beyond tolerance.
    """

    key: str
    before: Figure
    now: Figure
    excess: float

    @property
    def is_beyond(self) -> bool:
        """Whether it lies beyond tolerance."""
        return self.excess > 1.0

    def __str__(self) -> str:
        return f"{self.key} {self.before} -> {self.now}"


ABSENT = "(none)"


def is_readable(path: str) -> bool:
    """Whether a file holds figures to compare: metrics do, data of plots only draws them."""
    return PurePosixPath(path).suffix == ".json"


@dataclass(frozen=True)
class Splits:
    """What the data are made of, for figures whose file does not say it.

    Attributes:
        rows: of each split.
        balance: rows of the smallest label times labels, over all rows: 1 where all have as many.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    balance: float = 1.0

    @classmethod
    def read(cls, content: bytes | None) -> Splits:
        """Read them from the metrics of the stage that splits; nothing is known without."""
        if content is None:
            return cls()
        figures = joined(json.loads(content))
        counted = figures.get("labels")
        labels = list(counted.values()) if isinstance(counted, Mapping) else []
        balance = min(labels) * len(labels) / sum(labels) if labels and min(labels) else 1.0
        return cls(figures.get("splits", {}), balance)


def read_figures(content: bytes, splits: Splits) -> dict[str, tuple[Figure, int]]:
    """Dotted key to a figure and the number of rows it was taken over, 0 where it does not say."""
    figures = joined(json.loads(content))
    # Figures of a training are of the development split, but for those under `train`.
    rows = splits.rows.get("dev", 0) if "best_epoch" in figures else 0
    return dict(_walk(figures, splits, rows=rows))


def differences(
    path: str, before: bytes, now: bytes, tolerance: float, splits: Splits
) -> list[Difference]:
    """Figures of one file that are not the same, the furthest apart first."""
    old, new = read_figures(before, splits), read_figures(now, splits)
    found = []
    same_epoch = old.get("best_epoch") == new.get("best_epoch")
    for key in old.keys() | new.keys():
        was, rows = old.get(key, (ABSENT, 0))
        is_now, _ = new.get(key, (ABSENT, 0))
        if was != is_now or type(was) is not type(is_now):
            compared = same_epoch or key not in OF_THE_EPOCH
            # A flipped row moves the scores of two labels, each as much as a row of few moves them.
            scored = rows * splits.balance / 2 if "macro_f1" in key else rows
            excess = _excess(key, was, is_now, scored, tolerance) if compared else 0.0
            found.append(Difference(f"{path} {key}", was, is_now, excess))
    return sorted(found, key=lambda item: (-item.excess, item.key))


def _excess(key: str, before: Figure, now: Figure, rows: float, tolerance: float) -> float:
    """Distance of two unlike figures over the allowed distance."""
    name = key.rsplit(".", 1)[-1]
    if name in NOT_COMPARED:
        return 0.0
    if not (isinstance(before, int | float) and isinstance(now, int | float)):
        return math.inf
    distance = abs(now - before)
    if isinstance(before, int) and isinstance(now, int):
        counts_answers = any(part.startswith(ANSWER_COUNTS) for part in key.split("."))
        allowed = max(FLIPPED_ROWS, tolerance * max(before, now)) if counts_answers else 0.0
    elif name in LOSSES:
        allowed = tolerance * abs(before)
    else:
        share = max(tolerance, FLIPPED_ROWS / rows if rows else 0.0)
        allowed = share * max(1.0, abs(before))
    return distance / (allowed + ROUNDING) if allowed else math.inf


def _walk(
    value: Any, splits: Splits, key: str = "", rows: int = 0
) -> Iterator[tuple[str, tuple[Figure, int]]]:
    """Leaves of nested mappings and lists, each with the rows that the nearest mapping names."""
    if isinstance(value, Mapping):
        rows = _rows(value) or splits.rows.get(key.rsplit(".", 1)[-1], rows)
        items = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        yield key, (value, rows)
        return
    for name, item in items:
        yield from _walk(item, splits, f"{key}.{name}" if key else name, rows)


def _rows(value: Mapping[str, Any]) -> int:
    """The rows that a mapping says its scores were taken over; 0 where it does not say."""
    rows = value.get("rows")
    if isinstance(rows, Mapping):
        rows = rows.get("test")
    support, precision, recall = (value.get(name) for name in ("support", "precision", "recall"))
    if not isinstance(support, int):
        return rows if isinstance(rows, int) else 0
    if not (isinstance(precision, float) and isinstance(recall, float)):
        return support
    # Precision is taken over the rows that were given the label: right ones are a share of both.
    predicted = support * recall / precision if precision else 0
    return max(FLIPPED_ROWS, min(support, round(predicted)))
