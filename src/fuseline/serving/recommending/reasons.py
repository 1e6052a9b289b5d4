"""Why an item is listed: its score taken apart.

The score is a sum: of each event of the history, of a constant, and of the item's bias, so that
what each adds is exact (the sums of floats aside). Shares are of the sum of what all parts add,
each without its sign; a part with a negative share spoke against the item.

Shapes: L events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Items of a history that are named.
NAMED = 3


@dataclass(frozen=True)
class Spoke:
    """What an item of the history added."""

    id: str
    text: str | None
    adds: float
    share: float


@dataclass(frozen=True)
class Part:
    """What something else added."""

    adds: float
    share: float


@dataclass(frozen=True)
class Why:
    """Of one item.

    Attributes:
        history: items of the history that added most, at most three.
        others: what all others of it added.
        constant: what the item has for a person of whom nothing is known, its content's worth.
        popularity: its bias: how much it is asked for, and the trend.
        modalities: what the person's vector says of the item if it had this modality alone; these
            do not add up to the score, and their shares are among one another.
    """

    history: Sequence[Spoke]
    others: Part
    constant: Part
    popularity: Part
    modalities: Mapping[str, Part]

    def as_object(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def why(
    events: Mapping[int, float],
    names: Mapping[int, tuple[str, str | None]],
    constant: float,
    bias: float,
    alone: Mapping[str, float],
) -> Why:
    """Take a score apart.

    Args:
        events: what each item of the history adds, by its row; several events of one together.
        names: id and text by row.
        constant, bias: what else the score is the sum of.
        alone: by modality.
    """
    # By row where two add the same.
    order = sorted(events, key=lambda row: (-events[row], row))
    named = [row for row in order[:NAMED] if events[row] > 0]
    rest = sum(events[row] for row in order if row not in named)
    whole = sum(map(abs, events.values())) + abs(constant) + abs(bias)
    apart = sum(map(abs, alone.values()))
    return Why(
        [Spoke(*names[row], *_shared(events[row], whole)) for row in named],
        Part(*_shared(rest, whole)),
        Part(*_shared(constant, whole)),
        Part(*_shared(bias, whole)),
        {name: Part(*_shared(value, apart)) for name, value in alone.items()},
    )


def added(values: np.ndarray, rows: np.ndarray) -> dict[int, float]:
    """What each item of a history adds to one item's score, by row.

    Args:
        values: (L,) float32 of the events.
        rows: (L,) of their items.
    """
    found: dict[int, float] = {}
    for row, value in zip(rows.tolist(), values.tolist(), strict=True):
        found[row] = found.get(row, 0.0) + value
    return found


def _shared(adds: float, whole: float) -> tuple[float, float]:
    return adds, adds / whole if whole else 0.0
