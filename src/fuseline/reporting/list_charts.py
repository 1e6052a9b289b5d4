"""The report's charts of recommendations: a model's lists and those of its rivals."""

from __future__ import annotations

from typing import Any

import altair as alt

from fuseline.reporting.drawing import PALETTE, Row, in_order, inline, lines_sized, svg

# The kind of the lines that are of no model.
RIVALS = "rivals"


def lists_chart(rows: list[Row], measure: str) -> str:
    """Every model and rival on a line of its own, a dot with its interval.

    Args:
        rows: `name`, `kind` (a model's name, or `RIVALS`), `value`, `low`, `high`, shares; in the
            order of lines.
        measure: what they are.
    """
    kinds = in_order(rows, "kind")
    # Rivals in grey beside the colours that models have elsewhere on the page.
    hues = [PALETTE[-1] if kind == RIVALS else PALETTE[place] for place, kind in enumerate(kinds)]
    chart = alt.Chart(inline(rows)).encode(
        y=_lines(in_order(rows, "name"), "name"),
        # Names stand beside the lines.
        color=alt.Color("kind:N", legend=None, scale=alt.Scale(domain=kinds, range=hues)),
    )
    drawn = _bars_and_dots(chart, measure, alt.Axis(format="%", grid=True, tickCount=5))
    return svg(lines_sized(drawn, len(rows)), f"{measure}. {_told(rows, ('name',), 100, ' %')}")


def differences_chart(rows: list[Row], measure: str) -> str:
    """By rival how far each model lies from it, a dot each with its interval; a line at 0.

    Args:
        rows: `model`, `rival`, `value`, `low`, `high` in percentage points; in the order of lines.
        measure: what they are.
    """
    models, rivals = in_order(rows, "model"), in_order(rows, "rival")
    chart = alt.Chart(inline(rows)).encode(
        y=_lines(rivals, "rival"),
        # Below each other, so that the bars of one line can be told apart.
        yOffset=alt.YOffset("model:N", sort=models, scale=alt.Scale(range=[-5, 5])),
        color=alt.Color("model:N", title=None, sort=models),
    )
    zero = (
        alt.Chart(inline([{"value": 0.0}]))
        .mark_rule(color="gray", strokeDash=[2, 3])
        .encode(x="value:Q")
    )
    drawn = _bars_and_dots(chart, measure, alt.Axis(format="+.2~f", grid=True, tickCount=5))
    told = _told(rows, ("rival", "model"), 1, " points")
    return svg(lines_sized(zero + drawn, len(rivals)), f"{measure}. {told}")


def _lines(names: list[str], column: str) -> alt.Y:
    return alt.Y(f"{column}:N", title=None, sort=names, scale=alt.Scale(type="point", padding=0.5))


def _bars_and_dots(chart: Any, measure: str, axis: alt.Axis) -> Any:
    bars = chart.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=measure, axis=axis), x2="high:Q"
    )
    return bars + chart.mark_circle(size=70, opacity=1).encode(x="value:Q")


def _told(rows: list[Row], names: tuple[str, ...], times: int, unit: str) -> str:
    return "; ".join(
        f"{', '.join(row[name] for name in names)}: {times * row['value']:.1f}{unit}"
        f" ({times * row['low']:.1f} to {times * row['high']:.1f})"
        for row in rows
    )
