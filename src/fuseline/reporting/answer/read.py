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
from fuseline.reporting.answer.looks import looks
from fuseline.reporting.answer.measured import Measured, Model, Said, headline
from fuseline.reporting.charts import answer_chart
from fuseline.reporting.figures import title


@dataclass(frozen=True)
class AnswerSection:
    """What the first screen shows.

    Attributes:
        choice: which model to use.
        chart: the models as they are and under what breaks them; None where no figure is a share.
        measure: what the chart shows.
        certainty, harm, looks: sentences.
    """

    choice: Choice
    chart: Markup | None
    measure: str
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
    stress = metrics["stress"]
    majority = metrics["leakage"]["majority_accuracy"]
    choice = choose(models, stress.get("paired", {}), majority)
    found = conditions(models, stress, choice.models[0])
    return AnswerSection(
        choice,
        _chart(models, found),
        _measure(models[0], found),
        certainty(choice.models),
        harm(choice.models, found),
        looks(choice.models, metrics["ingest"], notices, leaks, stress),
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
