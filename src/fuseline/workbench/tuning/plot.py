"""The plot of a study: every trial, the best so far, and what the metric depended on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import vl_convert

from fuseline.reporting.drawing import PALETTE

Row = dict[str, Any]

WIDTH = 520
HEIGHT = 240


def study_plot(rows: list[Row], metric: str, importance: Mapping[str, float]) -> str:
    """SVG on white, the same bytes for the same trials.

    Args:
        rows: `trial`, `state` (`finished` or `pruned`), `value`; and `best` so far, if any.
        metric: title of the vertical axis.
        importance: share by param of what the metric depended on; empty where it is unknown.
    """
    trials = _trials(rows, metric)
    chart = alt.vconcat(trials, _importance(importance)) if importance else trials
    spec = chart.to_dict() | {"config": {"background": "white", "font": "sans-serif"}}
    return str(vl_convert.vegalite_to_svg(spec))


def _trials(rows: list[Row], metric: str) -> alt.LayerChart:
    number = alt.X("trial:Q", axis=alt.Axis(format="d", tickMinStep=1, grid=False))
    scale = alt.Scale(zero=False)
    marks = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_point(filled=False, size=60, strokeWidth=2)
        .encode(
            x=number,
            y=alt.Y("value:Q", title=metric, scale=scale),
            shape=alt.Shape(
                "state:N",
                title=None,
                scale=alt.Scale(domain=["finished", "pruned"], range=["circle", "cross"]),
            ),
            color=alt.Color(
                "state:N",
                title=None,
                scale=alt.Scale(domain=["finished", "pruned"], range=[PALETTE[0], PALETTE[7]]),
            ),
        )
    )
    best = (
        alt.Chart(alt.InlineData(values=[row for row in rows if row["best"] is not None]))
        .mark_line(interpolate="step-after", color=PALETTE[1], strokeWidth=1.5)
        .encode(x=number, y=alt.Y("best:Q", title=metric, scale=scale))
    )
    return alt.layer(best, marks).properties(
        width=WIDTH, height=HEIGHT, title="Trials, and the best so far"
    )


def _importance(importance: Mapping[str, float]) -> alt.Chart:
    rows = [{"param": key, "share": share} for key, share in importance.items()]
    return (
        alt.Chart(alt.InlineData(values=rows), title="What the metric depended on")
        .mark_bar(color=PALETTE[0])
        .encode(
            x=alt.X("share:Q", title="importance", axis=alt.Axis(format="%")),
            y=alt.Y("param:N", title=None, sort="-x", axis=alt.Axis(labelLimit=400)),
        )
        .properties(width=WIDTH)
    )
