"""Figures of two runs side by side, and how far they may lie apart.

Another processor rounds otherwise, a training carries that on, and some answers of the model flip.
What no rounding can change is held exactly: counts, names, switches. What a few answers change
may move by as much as a few answers move it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fuseline.metrics_file import joined

# Rows whose answer may flip where a figure says over how few rows it was taken.
FLIPPED_ROWS = 2

# Not compared: an epoch is best by a hair, and a p value leaps with one row.
NOT_COMPARED = frozenset({"best_epoch", "p_value"})

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
        return self.excess > 1.0 + 1e-6  # Metrics have six decimals.

    def __str__(self) -> str:
        return f"{self.key} {self.before} -> {self.now}"


ABSENT = "(none)"


def is_readable(path: str) -> bool:
    """Whether a file holds figures to compare: metrics do, data of plots only draws them."""
    return PurePosixPath(path).suffix == ".json"


def read_figures(content: bytes) -> dict[str, tuple[Figure, int]]:
    """Dotted key to a figure and the number of rows it was taken over, 0 where it does not say."""
    return dict(_walk(joined(json.loads(content))))


def differences(path: str, before: bytes, now: bytes, tolerance: float) -> list[Difference]:
    """Figures of one file that are not the same, the furthest apart first."""
    old, new = read_figures(before), read_figures(now)
    found = []
    for key in old.keys() | new.keys():
        was, rows = old.get(key, (ABSENT, 0))
        is_now, _ = new.get(key, (ABSENT, 0))
        if was != is_now or type(was) is not type(is_now):
            excess = _excess(key, was, is_now, rows, tolerance)
            found.append(Difference(f"{path} {key}", was, is_now, excess))
    return sorted(found, key=lambda item: (-item.excess, item.key))


def _excess(key: str, before: Figure, now: Figure, rows: int, tolerance: float) -> float:
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
    return distance / allowed if allowed else math.inf


def _walk(value: Any, key: str = "", rows: int = 0) -> Iterator[tuple[str, tuple[Figure, int]]]:
    """Leaves of nested mappings and lists, each with the rows that the nearest mapping names."""
    if isinstance(value, Mapping):
        own = value.get("support", value.get("rows"))
        rows = own if isinstance(own, int) else rows
        items = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        yield key, (value, rows)
        return
    for name, item in items:
        yield from _walk(item, f"{key}.{name}" if key else name, rows)
