"""The first screen, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from fuseline.data.notices import Notice
from fuseline.evaluation.leakage.verdicts import Verdict
from fuseline.reporting.answer.certainty import certainty
from fuseline.reporting.answer.choice import Choice, choose
from fuseline.reporting.answer.harm import Condition, conditions, harm
from fuseline.reporting.answer.lists import certainty_of_lists, choose_by_lists
from fuseline.reporting.answer.lists_harm import harm_of_lists, looks_of_lists
from fuseline.reporting.answer.looks import looks
from fuseline.reporting.answer.measured import Measured, Model, Said, headline
from fuseline.reporting.charts import answer_chart
from fuseline.reporting.figures import title
from fuseline.reporting.list_charts import differences_chart
from fuseline.reporting.rivals import JUDGED_BY, Ends, is_of_lists, rivals_of


@dataclass(frozen=True)
class AnswerSection:
    """What the first screen shows.

    Attributes:
        choice: which model to use.
        chart: the models as they are and under what breaks them; None where no figure is a share.
        caption: what the chart shows.
        certainty, harm, looks: sentences.
    """

    choice: Choice
    chart: Markup | None
    caption: str
    certainty: list[Said]
    harm: list[Said]
    looks: list[Said]


def read_answer(
    models: Sequence[Model],
    metrics: Mapping[str, Mapping[str, Any]],
    notices: Iterable[Notice],
    leaks: Iterable[Verdict],
) -> AnswerSection:
    """Gather it.

    Args:
        models: that were evaluated, the plain one first.
        metrics: of the stages `ingest`, `leakage` and `stress` by name.
        notices: on the data.
        leaks: on leakage and shortcuts.
    """
    if is_of_lists(models[0].metrics):
        return _of_lists(models, metrics, notices)
    stress = metrics["stress"]
    majority = metrics["leakage"]["majority_accuracy"]
    choice = choose(models, stress.get("paired", {}), majority)
    found = conditions(models, stress, choice.models[0])
    return AnswerSection(
        choice,
        _chart(models, found),
        _caption(models[0], found),
        certainty(choice.models),
        harm(choice.models, found),
        looks(choice.models, metrics["ingest"], notices, leaks, stress),
    )


def _of_lists(
    models: Sequence[Model],
    metrics: Mapping[str, Mapping[str, Any]],
    notices: Iterable[Notice],
) -> AnswerSection:
    """The same of models of recommendations, whose figures are of people, not of rows."""
    choice = choose_by_lists(models)
    return AnswerSection(
        choice,
        _beside_rivals(models),
        f"{title(JUDGED_BY)} of the model less that of each rival, in percentage points, with"
        " 95\u202f% intervals over the same people. Right of the line the model is better.",
        certainty_of_lists(choice.models),
        harm_of_lists(choice.models),
        looks_of_lists(choice.models, metrics["ingest"], notices, metrics["stress"]),
    )


def _beside_rivals(models: Sequence[Model]) -> Markup | None:
    rows = [
        {"model": model.title, "rival": rival.title, **_points(rival.difference)}
        for model in models
        for rival in rivals_of(model.metrics)
    ]
    measure = f"{title(JUDGED_BY)} less that of the rival, points"
    return Markup(differences_chart(rows, measure)) if rows else None


def _points(ends: Ends) -> dict[str, float]:
    return {name: 100 * value for name, value in vars(ends).items()}


def _caption(first: Model, found: Sequence[Condition]) -> str:
    measure = _measure(first, found)
    return (
        f"{measure[0].upper()}{measure[1:]}, with 95\u202f% intervals. The attack and the inputs"
        " that go wrong may be of fewer rows than the first line."
    )


def _measure(first: Model, found: Sequence[Condition]) -> str:
    return "share of rows that are right" if found else title(headline(first.metrics))


def _chart(models: Sequence[Model], found: Sequence[Condition]) -> Markup | None:
    rows = [
        _point(model.title, "as they are", clean)
        for model in models
        if (clean := _clean(model, found)) and clean.is_share
    ]
    rows += [
        _point(model.title, condition.label, condition.figures[model.name][1])
        for condition in found
        for model in models
        if model.name in condition.figures
    ]
    return Markup(answer_chart(rows, _measure(models[0], found))) if rows else None


def _clean(model: Model, found: Sequence[Condition]) -> Measured | None:
    """What is drawn first: the figure itself, or what counts as right where rows go through
    something."""
    own = Measured.of(model.metrics, headline(model.metrics))
    if own is not None and own.name == "accuracy":
        return own
    pairs = [one.figures[model.name] for one in found if model.name in one.figures]
    return next((clean for clean, _ in pairs if clean is not None), own)


def _point(model: str, condition: str, measured: Measured) -> dict[str, Any]:
    low, high = measured.low, measured.high
    ends = (measured.value,) * 2 if low is None or high is None else (low, high)
    return {
        "model": model,
        "condition": condition,
        "value": measured.value,
        "low": ends[0],
        "high": ends[1],
    }
