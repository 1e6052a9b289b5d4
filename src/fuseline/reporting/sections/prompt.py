"""The report's section on few labelled rows: a table and curves by number of shots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from fuseline.reporting.charts import shots_chart

FIGURES = {"accuracy": "accuracy", "macro_f1": "macro-F1"}


@dataclass(frozen=True)
class Point:
    """Mean and sample deviation of one figure over the draws of shots; no deviation of one."""

    mean: float
    std: float | None


@dataclass(frozen=True)
class FewShotTable:
    """One figure of every method that was run.

    Attributes:
        title: of the figure.
        rows: by method, a point per number of shots, None where it was not run.
        chart: the same as curves.
    """

    title: str
    rows: dict[str, list[Point | None]]
    chart: Markup


@dataclass(frozen=True)
class PromptSection:
    """What the section shows.

    Attributes:
        metrics: of the stage `prompt`.
        shots: numbers of shots, the columns.
        short: labels that have fewer rows than so many shots, where there are any.
        draws: how often each number of shots was drawn.
        tables: one per figure; empty where nothing was run.
    """

    metrics: dict[str, Any]
    shots: list[int]
    short: dict[int, int]
    draws: int
    tables: list[FewShotTable]


def read_prompt_section(metrics: dict[str, Any]) -> PromptSection:
    """Gather the section from the metrics of the stage `prompt`."""
    shots = sorted(int(count) for count in metrics["shots"])
    short = {count: metrics["shots"][str(count)]["short_labels"] for count in shots}
    methods = {
        name: points
        for name, points in metrics["methods"].items()
        if any(point["seeds"] for point in points.values())
    }
    draws = [point["seeds"] for points in methods.values() for point in points.values()]
    return PromptSection(
        metrics=metrics,
        shots=shots,
        short={count: labels for count, labels in short.items() if labels},
        draws=max(draws, default=0),
        tables=[
            _table(title, {name: _points(of, figure, shots) for name, of in methods.items()}, shots)
            for figure, title in FIGURES.items()
            if methods
        ],
    )


def _points(points: dict[str, Any], figure: str, shots: list[int]) -> list[Point | None]:
    """Of one method, in the order of `shots`."""
    found: list[Point | None] = []
    for count in shots:
        point = points.get(str(count))
        if point is None or not point["seeds"]:
            found.append(None)
        else:
            values = point[figure]
            found.append(Point(values["mean"], values["std"] if point["seeds"] > 1 else None))
    return found


def _table(title: str, rows: dict[str, list[Point | None]], shots: list[int]) -> FewShotTable:
    marks = [
        {
            "method": name,
            "shots": count,
            "mean": point.mean,
            "low": point.mean - (point.std or 0.0),
            "high": point.mean + (point.std or 0.0),
        }
        for name in _lines(rows)
        for count, point in zip(shots, rows[name], strict=True)
        if point is not None
    ]
    # The chart escapes its text; everything else is escaped by the template.
    return FewShotTable(title, rows, Markup(shots_chart(marks, title)))


def _lines(rows: dict[str, list[Point | None]]) -> list[str]:
    """Methods with a curve: variants, named after their method, stand in the table alone."""
    return [name for name in rows if not any(name.startswith(f"{other}_") for other in rows)]
