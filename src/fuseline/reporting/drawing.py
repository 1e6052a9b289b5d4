"""What all charts of the report have: inline SVG, the same bytes for the same figures.

They take the page's text colour, so that they read on light and dark. Marks are never clipped:
the ids of clip paths are counted through the life of the process and would differ from run to
run.
"""

from __future__ import annotations

from html import escape
from typing import Any

import altair as alt
import vl_convert

Row = dict[str, Any]

# Eight hues that stay apart on white and on near-black.
PALETTE = [
    "#3d7be0",
    "#e07b2e",
    "#2f9e74",
    "#b0509c",
    "#8a7a1f",
    "#d0505f",
    "#3f9fb5",
    "#7f7f8c",
]
WIDTH = 290
HEIGHT = 190
# Of a line of the answer.
LINE_HEIGHT = 34

_CONFIG: Row = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "titleFontWeight": "normal",
        "titleLimit": 300,
        "domainColor": "currentColor",
        "domainOpacity": 0.4,
        "tickColor": "currentColor",
        "tickOpacity": 0.4,
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "labelLimit": 180,
    },
    "legend": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "orient": "bottom",
        "columns": 2,
        "columnPadding": 16,
        "labelLimit": 220,
        "symbolStrokeWidth": 2,
    },
    "range": {"category": PALETTE},
    "text": {"color": "currentColor"},
}


def in_order(rows: list[Row], name: str) -> list[str]:
    """Values of a column, each once, as they first come."""
    return list(dict.fromkeys(row[name] for row in rows))


def inline(rows: list[Row]) -> alt.InlineData:
    """Rows as a chart's data."""
    return alt.InlineData(values=rows)


def sized(chart: Any) -> Any:
    """A chart as wide and high as most are."""
    return chart.properties(width=WIDTH, height=HEIGHT)


def svg(chart: Any, alternative: str) -> str:
    """A drawing, and what it is told as to who does not see it."""
    # Altair's own configuration refuses `currentColor`, which SVG knows and the page needs.
    spec = chart.to_dict() | {"config": _CONFIG}
    drawn = str(vl_convert.vegalite_to_svg(spec))
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(alternative)}" ', 1)


def lines_sized(chart: Any, lines: int) -> Any:
    """A chart of names below each other, with dots and intervals beside them."""
    return chart.properties(
        width=WIDTH,
        height=LINE_HEIGHT * max(lines, 2),
        # Fonts are wider elsewhere than where this is drawn.
        padding={"left": 20, "right": 8, "top": 4, "bottom": 4},
    )
