"""A figure with its interval, and what two of them say of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fuseline.evaluation.trust.shares import share_interval
from fuseline.reporting.figures import FIGURES, named_figures, shown, title

Level = Literal["look", "note", "fine"]


@dataclass(frozen=True)
class Said:
    """A sentence of the first screen.

    Attributes:
        level: `look` asks for a person's judgement, `note` is worth knowing, `fine` is neither.
        words: the sentence.
        part: the part of the page that has more; empty for none.
    """

    level: Level
    words: str
    part: str = ""


@dataclass(frozen=True)
class Model:
    """An evaluated model: its name, what it is called, its metrics."""

    name: str
    title: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """A figure and its 95 % interval; `low` and `high` are None where none was measured."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, metrics: Mapping[str, Any], name: str) -> Measured | None:
        """A figure of a model's metrics; None where they lack it."""
        if name not in metrics:
            return None
        ends = metrics.get("intervals", {}).get(name, {})
        return cls(name, metrics[name], ends.get("low"), ends.get("high"))

    @classmethod
    def of_rows(cls, name: str, share: float, rows: int) -> Measured:
        """A share of rows with its interval (Wilson 1927); none of no rows."""
        if not rows:
            return cls(name, share)
        ends = share_interval(round(share * rows), rows)
        # A stored share is rounded, which must not shut it out.
        return cls(name, share, min(ends["low"], share), max(ends["high"], share))

    def beats(self, other: Measured) -> bool:
        """Whether its interval lies wholly on the better side of the other's; ends that meet do
        not."""
        if self.is_error:
            return self.high is not None and other.low is not None and self.high < other.low
        return self.low is not None and other.high is not None and self.low > other.high

    def holds(self, value: float) -> bool | None:
        """Whether a value lies in the interval, ends included; None where there is none."""
        return None if self.low is None or self.high is None else self.low <= value <= self.high

    def is_better_than(self, value: float) -> bool:
        """Whether the figure itself is better than a value."""
        return self.value < value if self.is_error else self.value > value

    @property
    def is_error(self) -> bool:
        """Whether smaller is better."""
        return self.name in FIGURES and FIGURES[self.name].is_error

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1."""
        return self.name in FIGURES and FIGURES[self.name].is_share

    @property
    def called(self) -> str:
        """The figure's name for people."""
        return title(self.name)

    def __str__(self) -> str:
        value = shown(self.value, self.name, "\u202f%")
        if self.low is None or self.high is None:
            return value
        return f"{value} [{shown(self.low, self.name)}, {shown(self.high, self.name)}]"


def of(model: Model, models: Sequence[Model], words: str) -> str:
    """A sentence on one of the models that are spoken of: named only where there are several."""
    return f"{model.title}: {words}" if len(models) > 1 else f"{words[0].upper()}{words[1:]}"


def headline(metrics: Mapping[str, Any]) -> str:
    """The figure that models are told apart by: the first that the report has a column for."""
    return named_figures(metrics)[0]


def joined(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
