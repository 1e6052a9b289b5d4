"""The report's section on recommendations: lists beside those of rivals, and where they fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from fuseline.contracts import SPLITS
from fuseline.reporting.figures import title as called
from fuseline.reporting.list_charts import RIVALS, lists_chart
from fuseline.reporting.rivals import JUDGED_BY, Ends, Rival, is_of_lists, rivals_of

Figures = Mapping[str, Any]
# Columns of the table of lists, in their order.
COLUMNS = (JUDGED_BY, "recall_at_10", "recall_at_50", "mrr", "hit_rate_at_10")
# Rows of the table over all lists, and what they mean.
OVER_ALL = {
    "coverage": "of all items, those that any list of ten holds",
    "novelty": "how rare the listed items are, in bits: one more is half as many events",
    "popularity_lift": "by how many % listed items have more events than those that people had",
    "cold_share": "of all places of the lists of ten, those with an item that had no event",
}
# Rows of the table of the cuts by time.
PARTED = {
    "events": "events",
    "days": "days",
    "users": "people",
    "new_users": "of them new",
    "items": "items",
    "new_items": "of them new",
}
# Parts of the people who are asked, and what they are called.
PEOPLE = {"one_event_users": "people with one event", "new_users": "new people, with none"}


@dataclass(frozen=True)
class RivalRow:
    """A rival's line: its own figures, and by model title the difference and its standing."""

    rival: Rival
    differences: dict[str, Ends]


@dataclass(frozen=True)
class Group:
    """Some of the people: how many, the headline by model title, and the best rival of them."""

    title: str
    people: int
    scores: dict[str, float]
    best: str
    best_score: float


@dataclass(frozen=True)
class RecommendationsSection:
    """What the section shows.

    Attributes:
        protocol: in a sentence.
        models: metrics by model title.
        rivals: the best first; none where nobody was asked.
        chart: the headline of models and rivals; None without rivals.
        groups: of the people who are asked.
        cold, promotion: these parts of the metrics by model title; empty where nobody was asked.
        splits: by split what the cuts part, in the order of time; empty where it is not known.
        columns: figures of the table of lists.
        over_all: figures over all lists, and what they mean.
        parted: figures of the cuts, and what they are called.
    """

    protocol: str
    models: dict[str, Figures]
    rivals: list[RivalRow]
    chart: Markup | None
    groups: list[Group]
    cold: dict[str, Figures]
    promotion: dict[str, Figures]
    splits: dict[str, Figures]
    columns: tuple[str, ...] = COLUMNS
    over_all: Mapping[str, str] = field(default_factory=lambda: OVER_ALL)
    parted: Mapping[str, str] = field(default_factory=lambda: PARTED)


def read_recommendations_section(
    models: Mapping[str, Figures], ingest: Figures
) -> RecommendationsSection | None:
    """The section, or None where the models recommend nothing.

    Args:
        models: metrics by model title, the first model first.
        ingest: metrics of the stage.
    """
    first = next(iter(models.values()))
    if not is_of_lists(first):
        return None
    rivals = _rivals(models)
    events = ingest.get("interactions")
    told = first["protocol"]
    return RecommendationsSection(
        protocol=f"{told[0].upper()}{told[1:]}.",
        models=dict(models),
        rivals=rivals,
        # The chart escapes its text; everything else is escaped by the template.
        chart=Markup(lists_chart(_points(models, rivals), called(JUDGED_BY))) if rivals else None,
        groups=_groups(models, rivals),
        cold=_of_some(models, "cold_items"),
        promotion=_of_some(models, "promotion"),
        splits={split: events["splits"][split] for split in SPLITS} if events else {},
    )


def _rivals(models: Mapping[str, Figures]) -> list[RivalRow]:
    by_model = {
        title: {rival.name: rival for rival in rivals_of(metrics)}
        for title, metrics in models.items()
    }
    return [
        RivalRow(
            rival,
            {title: found[rival.name].difference for title, found in by_model.items()
             if rival.name in found},
        )
        for rival in rivals_of(next(iter(models.values())))
    ]  # fmt: skip


def _points(models: Mapping[str, Figures], rivals: list[RivalRow]) -> list[dict[str, Any]]:
    rows = [(title, title, metrics) for title, metrics in models.items()]
    rows += [(row.rival.title, RIVALS, row.rival.figures) for row in rivals]
    return [
        {"name": name, "kind": kind, "value": of[JUDGED_BY], **of["intervals"][JUDGED_BY]}
        for name, kind, of in rows
    ]


def _groups(models: Mapping[str, Figures], rivals: list[RivalRow]) -> list[Group]:
    """Of people whom somebody is; the first line is of all who are known."""
    if not rivals:
        return []
    first = next(iter(models.values()))
    best = rivals[0].rival
    scores = {title: of[JUDGED_BY] for title, of in models.items()}
    found = [Group("all known people", int(first["people"]), scores, best.title, best.score)]
    for name, words in PEOPLE.items():
        if first[name]["people"]:
            best = max((row.rival for row in rivals), key=lambda rival: rival.figures[name])
            scores = {title: of[name][JUDGED_BY] for title, of in models.items()}
            people, score = int(first[name]["people"]), best.figures[name]
            found.append(Group(words, people, scores, best.title, score))
    return found


def _of_some(models: Mapping[str, Figures], name: str) -> dict[str, Figures]:
    """A part of the metrics of each model, where it is of anybody."""
    found = {title: of[name] for title, of in models.items()}
    return found if all(of["people"] and of["items"] for of in found.values()) else {}
