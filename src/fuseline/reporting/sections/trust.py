"""The report's section on trust: calibration, selective prediction, and parts of the test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from fuseline.evaluation.scoring.tables import RELIABILITY, SELECTIVE
from fuseline.reporting.charts import reliability_chart, selective_chart

# Slices shown of a column, the worst first.
MAX_SLICES = 12


@dataclass(frozen=True)
class Slice:
    """One value of a column: `value` is None where rows state none; by model its figures."""

    value: str | None
    rows: int
    by_model: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class SliceTable:
    """The slices of one column.

    Attributes:
        column: its name.
        names: of the figures.
        judged_by: the figure of the first model that the slices are ordered by.
        slices: the worst first.
        num_hidden: how many further ones there are.
        rows_left_out: test rows in slices too small to be scored.
        gaps: by model and figure, between the best and the worst slice.
    """

    column: str
    names: list[str]
    judged_by: str
    slices: list[Slice]
    num_hidden: int
    rows_left_out: int
    gaps: dict[str, dict[str, float]]


@dataclass(frozen=True)
class TrustSection:
    """What the section shows; a task without calibrated probabilities has slices alone.

    Attributes:
        calibration, selective: these figures by model title.
        reliability: by model title the chart of its bins.
        risks: the risk–coverage chart of all models; None without.
        tables: of slices, one per column that has two or more.
    """

    calibration: dict[str, dict[str, Any]]
    selective: dict[str, dict[str, Any]]
    reliability: dict[str, Markup]
    risks: Markup | None
    tables: list[SliceTable]


def read_trust_section(
    metrics: Mapping[str, dict[str, Any]], plots: Mapping[str, Path]
) -> TrustSection | None:
    """The section, or None where there is nothing to show.

    Args:
        metrics: by model title, the first model first.
        plots: by model title the folder of its plot data.
    """
    calibration = _part(metrics, "calibration")
    selective = _part(metrics, "selective")
    tables = _tables(_part(metrics, "slices"))
    if not calibration and not tables:
        return None
    # The charts escape their text; everything else is escaped by the template.
    charts = {
        title: Markup(reliability_chart(_records(plots[title] / RELIABILITY)))
        for title in calibration
    }
    risks = [
        {"model": title, **point}
        for title in selective
        for point in _records(plots[title] / SELECTIVE)
    ]
    return TrustSection(
        calibration,
        selective,
        charts,
        Markup(selective_chart(risks)) if risks else None,
        tables,
    )


def _part(metrics: Mapping[str, dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    return {title: found[name] for title, found in metrics.items() if name in found}


def _records(path: Path) -> list[dict[str, Any]]:
    records: list[Any] = pd.read_csv(path).to_dict("records")
    return records


def _tables(slices: dict[str, dict[str, Any]]) -> list[SliceTable]:
    first = next(iter(slices.values()), {})
    return [
        _table(column, {title: found[column] for title, found in slices.items()})
        for column in sorted(first)
        if len(first[column]["slices"]) > 1
    ]


def _table(column: str, by_model: dict[str, dict[str, Any]]) -> SliceTable:
    first = next(iter(by_model.values()))
    names = list(first["slices"][0]["intervals"])
    # Of a task's own figure a low value may be the better one, of a share of right rows never.
    judged_by = next(name for name in ("accuracy", "right") if name in names)
    order = sorted(range(len(first["slices"])), key=lambda place: first["slices"][place][judged_by])
    found = [
        Slice(
            first["slices"][place]["value"],
            first["slices"][place]["rows"],
            {title: figures["slices"][place] for title, figures in by_model.items()},
        )
        for place in order[:MAX_SLICES]
    ]
    return SliceTable(
        column,
        names,
        judged_by,
        found,
        len(order) - len(found),
        first["rows_left_out"],
        {title: figures["gap"] for title, figures in by_model.items()},
    )
