"""A model of recommendations beside its rivals: for the report and the summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fuseline.reporting.figures import points, title

# What lists are compared by.
JUDGED_BY = "ndcg_at_10"
TITLES = {
    "popularity": "popularity of all time",
    "popularity_7_days": "popularity of 7 days",
    "popularity_30_days": "popularity of 30 days",
    "decayed_popularity": "decayed popularity",
    "ease": "EASE",
    "als": "ALS",
    "bpr": "BPR",
}
# Rivals whose titles have their setting.
FIXED = ("popularity_7_days", "popularity_30_days")
Standing = Literal["above", "level with", "below"]


@dataclass(frozen=True)
class Ends:
    """A figure and its interval; of lists' headline, or of a difference of two."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, found: Mapping[str, float]) -> Ends:
        """Of `value`, `low` and `high`."""
        return cls(found["value"], found["low"], found["high"])

    @property
    def standing(self) -> Standing:
        """Of a difference: where the interval lies beside 0; one that holds it, ends included, is
        level."""
        if self.low > 0:
            return "above"
        return "below" if self.high < 0 else "level with"

    def __str__(self) -> str:
        """Percentage points, with signs."""
        value, low, high = map(points, (self.value, self.low, self.high))
        return f"{value} points [{low}, {high}]"


@dataclass(frozen=True)
class Rival:
    """A rival of a model on the same people.

    Attributes:
        name: in the metrics.
        figures: its part of them.
    """

    name: str
    figures: Mapping[str, Any]

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name.replace("_", " "))

    @property
    def setting(self) -> str:
        """In words; empty where there is none or the title has it."""
        return "" if self.name in FIXED else setting_words(self.figures.get("setting"))

    @property
    def score(self) -> float:
        """The figure that lists are compared by."""
        return float(self.figures[JUDGED_BY])

    @property
    def difference(self) -> Ends:
        """The model's headline less the rival's, of the same people."""
        return Ends.of(self.figures["difference"])


def is_of_lists(metrics: Mapping[str, Any]) -> bool:
    """Whether a model's metrics are of recommendations."""
    return metrics.get("task") == "recommendation"


def rivals_of(metrics: Mapping[str, Any]) -> list[Rival]:
    """The rivals of a model, the best first; of equal ones by name. None where nobody was asked."""
    found = [Rival(name, figures) for name, figures in metrics.get("rivals", {}).items()]
    return sorted(found, key=lambda rival: (-rival.score, rival.name))


def setting_words(setting: object) -> str:
    """What a rival's setting says; empty for none."""
    if isinstance(setting, Mapping):
        parts = (
            f"{str(name).replace('_', ' ')} {setting_words(one)}" for name, one in setting.items()
        )
        return ", ".join(parts)
    if isinstance(setting, float):
        return f"{setting:g}"
    return "" if setting is None else str(setting)


def beside_best(metrics: Mapping[str, Any]) -> str:
    """Where a model stands beside the best of its rivals; empty where there are none."""
    rivals = rivals_of(metrics)
    if not rivals:
        return ""
    best = rivals[0]
    setting = f" ({best.setting})" if best.setting else ""
    return (
        f"{best.difference.standing} {best.title}{setting}, the best of {len(rivals)} rivals:"
        f" {title(JUDGED_BY)} differs by {best.difference}"
    )
