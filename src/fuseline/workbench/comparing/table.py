"""Headline figures of revisions, a column each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuseline.reporting.figures import FIGURES, named_figures, title
from fuseline.workbench.comparing.evaluated import Evaluated
from fuseline.workbench.comparing.verdicts import LEFT_OUT
from fuseline.workbench.terminal import aligned

NONE, UNREADABLE = "-", "?"
# What a figure of a revision is, as text; None where it has none.
Cell = Callable[[Evaluated], str | None]


def figures_table(revisions: list[Evaluated]) -> list[str]:
    """Lines: figures of every model with their 95 % intervals, few-shot accuracy, stress."""
    rows = [*_models(revisions), *_prompt(revisions), *_stress(revisions)]
    cells = [[name, *(_text(cell, revision) for revision in revisions)] for name, cell in rows]
    lines = aligned([["", *(revision.name for revision in revisions)], *cells])
    if any(UNREADABLE in row for row in cells):
        lines.append(f"{UNREADABLE}: the metrics of that revision have another form")
    return lines


def _text(cell: Cell, revision: Evaluated) -> str:
    try:
        return cell(revision) or NONE
    except (KeyError, TypeError, AttributeError):
        # Older versions named or nested some figures otherwise; the rest is worth showing.
        return UNREADABLE


def _models(revisions: list[Evaluated]) -> list[tuple[str, Cell]]:
    rows: list[tuple[str, Cell]] = []
    for model in _union(revision.models for revision in revisions):
        known = [revision.models[model] for revision in revisions if model in revision.models]
        figures = {name for metrics in known for name in named_figures(metrics)} - {LEFT_OUT}
        for name in sorted(figures, key=list(FIGURES).index):
            rows.append((f"{model} {title(name)}", _figure(model, name)))
        main = next((name for name in FIGURES if name in figures), "")
        if main and any("twin" in metrics for metrics in known):
            rows.append((f"{model} twin {title(main)}", _twin(model, main)))
    return rows


def _figure(model: str, name: str) -> Cell:
    def cell(revision: Evaluated) -> str | None:
        metrics = revision.models.get(model, {})
        if name not in metrics:
            return None
        interval = metrics.get("intervals", {}).get(name)
        tail = f" [{_number(interval['low'])}, {_number(interval['high'])}]" if interval else ""
        return _number(metrics[name]) + tail

    return cell


def _twin(model: str, name: str) -> Cell:
    def cell(revision: Evaluated) -> str | None:
        value = revision.models.get(model, {}).get("twin", {}).get(name)
        return None if value is None else _number(value)

    return cell


def _prompt(revisions: list[Evaluated]) -> list[tuple[str, Cell]]:
    """Accuracy of every prompt method with the most shots, over its draws."""
    methods = _union((revision.prompt or {}).get("methods", {}) for revision in revisions)
    return [(f"few-shot {method}", _few_shot(method)) for method in methods]


def _few_shot(method: str) -> Cell:
    def cell(revision: Evaluated) -> str | None:
        points = (revision.prompt or {}).get("methods", {}).get(method, {})
        run = [shots for shots, point in points.items() if point["seeds"]]
        if not run:
            return None
        most = max(run, key=int)
        accuracy = points[most]["accuracy"]
        return f"{accuracy['mean']:.3f} ± {accuracy['std']:.3f}, {most} a label"

    return cell


def _stress(revisions: list[Evaluated]) -> list[tuple[str, Cell]]:
    """The lowest score under a noise on the text, and how well rows of another set are told."""
    rows: list[tuple[str, Cell]] = []
    for suite, name, of in (
        ("text", "worst noise on the text", _worst_noise),
        ("out_of_distribution", "auroc of other rows", _auroc),
    ):
        models = _union((revision.stress or {}).get(suite, {}) for revision in revisions)
        rows += [(f"{model} {name}", _stressed(suite, model, of)) for model in models]
    return rows


def _stressed(suite: str, model: str, of: Callable[[dict[str, Any]], str]) -> Cell:
    def cell(revision: Evaluated) -> str | None:
        figures = (revision.stress or {}).get(suite, {}).get(model)
        return of(figures) if figures else None

    return cell


def _worst_noise(figures: dict[str, Any]) -> str:
    score = "accuracy" if "accuracy" in figures["clean"] else "right"
    low, noise = min(
        (point[score], noise)
        for noise, curve in figures.items()
        if noise != "clean"
        for point in curve
    )
    return f"{low:.3f} {noise}"


def _auroc(figures: dict[str, Any]) -> str:
    return _number(figures["max_softmax"]["auroc"])


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"


def _union(names: Any) -> list[str]:
    """Each name once, in the order of first sight."""
    return list(dict.fromkeys(name for one in names for name in one))
