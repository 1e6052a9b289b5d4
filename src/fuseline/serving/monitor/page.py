"""The live page: one file, which loads nothing, and looks for a newer one of itself.

All text of rows is escaped, and the policy lets run and style nothing but what is here by its hash.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from fuseline.contracts.durable import write_text
from fuseline.serving.monitor.chart import Chart, Point
from fuseline.serving.monitor.events import told_time
from fuseline.serving.monitor.watch import DRIFT, DRIFT_KIND, SCOPE, TOPIC_KIND, WORDS, Watch

# Units of a chart's drawing, which is stretched to its place.
_WIDTH, _HEIGHT = 1000.0, 100.0
# Alarms of one stream whose rows are shown.
_SHOWN_ALARMS = 5
_DRIFT_TITLES = {
    WORDS: "Words: texts that fall to pieces",
    SCOPE: "Scope: rows unlike those the model learnt from",
}


def write_page(path: Path, watch: Watch, findings: Sequence[Mapping[str, Any]]) -> None:
    """Write the page, whole or not at all.

    Args:
        path: of it.
        watch: what is shown.
        findings: alarms and notices, the newest first.
    """
    write_text(path, page(watch, findings))


def page(watch: Watch, findings: Sequence[Mapping[str, Any]]) -> str:
    """The page's HTML."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'"
    )
    cards = "\n".join(
        _card(kind, name, watch.charts[f"{kind}:{name}"], watch, findings)
        for kind, name in _streams(watch)
    )
    return f"""<!doctype html>
<html lang="en" data-seconds="{watch.settings.refresh_seconds}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_title(watch)}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Mood by topic</h1>
<p>{_summary(watch)}</p>
<label><input type="checkbox" id="pause"> Pause: do not look for newer rows</label>
</header>
<main>
{cards}
</main>
<script>{script}</script>
</body>
</html>
"""


def _streams(watch: Watch) -> Iterator[tuple[str, str]]:
    """Those to show: all topics, and of the words what is looked at."""
    for name in watch.settings.streams:
        yield TOPIC_KIND, name
    for name in DRIFT:
        if watch.charts[f"{DRIFT_KIND}:{name}"].points:
            yield DRIFT_KIND, name


def _title(watch: Watch) -> str:
    return f"{watch.alarms} alarms: mood by topic" if watch.alarms else "Mood by topic"


def _summary(watch: Watch) -> str:
    refused = ", ".join(f"{count} {escape(why)}" for why, count in sorted(watch.refused.items()))
    settings = watch.settings
    return (
        f"{watch.rows} rows, {watch.late} of them too late, {refused or 'no line'} refused."
        f" Windows of {settings.window_seconds} seconds, UTC. The limits are set to one false alarm"
        f" in {settings.run_length_windows} windows, all topics together."
    )


def _card(
    kind: str, name: str, chart: Chart, watch: Watch, findings: Sequence[Mapping[str, Any]]
) -> str:
    own = [one for one in findings if one.get(kind) == name][:_SHOWN_ALARMS]
    title = name if kind == TOPIC_KIND else _DRIFT_TITLES[name]
    points = list(chart.points)
    alarmed = bool(points) and points[-1].alarm
    return (
        f'<section{" class=alarmed" if alarmed else ""}><div class="top"><h2>{escape(title)}</h2>'
        f'<span class="state">{_state(chart, watch)}</span></div>\n'
        f"{_charts(points, chart)}\n{''.join(_alarm(one) for one in own)}</section>"
    )


def _state(chart: Chart, watch: Watch) -> str:
    if not chart.points:
        return "no window is over yet"
    if chart.baseline is None:
        return f"learning: {len(chart.reference)} of {watch.settings.reference_windows} windows"
    last = chart.points[-1]
    begun = _moment(told_time(last.start))
    return f"{'alarm in' if last.alarm else 'watching,'} the window of {begun}"


def _charts(points: Sequence[Point], chart: Chart) -> str:
    if not points:
        return ""
    shares = [point.negative / point.rows for point in points]
    counts = [float(point.rows) for point in points]
    base = chart.baseline
    top = max([0.05, *shares, *([base.share] if base else [])]) * 1.1
    said = f"{shares[-1]:.0%}" + (f", usually {base.share:.0%}" if base else "")
    found = [
        _figure(
            "share of negatives",
            said,
            _alarms(points)
            + (_level("level", base.share / top) if base else "")
            + _line("share", [share / top for share in shares]),
        ),
        _figure("stories", f"{points[-1].rows}", _bars(counts), low=True),
    ]
    if base:
        highest = max([base.limit, *(point.statistic or 0.0 for point in points)]) * 1.1
        found.append(
            _figure(
                "excess so far, and its limit",
                f"{points[-1].statistic or 0.0:.2f} of {base.limit:.2f}",
                _alarms(points)
                + _level("limit", base.limit / highest)
                + _line("sum", [(point.statistic or 0.0) / highest for point in points]),
            )
        )
    return "\n".join(found)


def _figure(name: str, said: str, drawing: str, *, low: bool = False) -> str:
    return (
        f"<figure><figcaption><span>{name}</span><span>{said}</span></figcaption>"
        f'<svg{" class=low" if low else ""} role="img" aria-label="{name}: last {said}"'
        f' viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" preserveAspectRatio="none">{drawing}</svg></figure>'
    )


def _line(kind: str, heights: Sequence[float]) -> str:
    """A line through heights in [0, 1]."""
    step = _WIDTH / max(1, len(heights))
    places = [
        f"{step * (place + 0.5):.1f} {_HEIGHT * (1 - height):.1f}"
        for place, height in enumerate(heights)
    ]
    # One place alone would draw nothing.
    return f'<path class="{kind}" d="M{"L".join(places if len(places) > 1 else 2 * places)}"/>'


def _level(kind: str, height: float) -> str:
    return f'<path class="{kind}" d="M0 {_HEIGHT * (1 - height):.1f}H{_WIDTH:g}"/>'


def _bars(values: Sequence[float]) -> str:
    step, top = _WIDTH / len(values), max([1.0, *values])
    return "".join(
        _bar("bars", step * place, step, value / top) for place, value in enumerate(values)
    )


def _alarms(points: Sequence[Point]) -> str:
    step = _WIDTH / len(points)
    return "".join(
        _bar("alarm", step * place, step, 1.0) for place, point in enumerate(points) if point.alarm
    )


def _bar(kind: str, left: float, step: float, height: float) -> str:
    return (
        f'<rect class="{kind}" x="{left + 0.1 * step:.1f}" y="{_HEIGHT * (1 - height):.1f}"'
        f' width="{0.8 * step:.1f}" height="{_HEIGHT * height:.1f}"/>'
    )


def _alarm(finding: Mapping[str, Any]) -> str:
    window = finding["window"]
    said = (
        f"{finding['event'].capitalize()}, {_moment(window['start'])}: {finding['share']:.0%} of"
        f" {finding['rows']}, usually {finding['baseline']:.0%}"
    )
    rows = "".join(_row(one) for one in finding["because"])
    name = escape(finding["id"])
    listed = f"<ul>{rows}</ul>" if rows else "<p>No single rows are kept of this.</p>"
    return f'<details id="{name}"><summary>{escape(said)}</summary>{listed}</details>'


def _row(told: Mapping[str, Any]) -> str:
    number = told["copies"]
    copies = f", {number} {'copy' if number == 1 else 'copies'} more" if number else ""
    known = f", {told['id']}" if told["id"] is not None else ""
    return (
        f"<li>{escape(told['text'] or 'no text')}"
        f"<small>{escape(_moment(told['time']) + known + copies)}</small></li>"
    )


def _moment(told: str) -> str:
    """A time as people read it, to the minute."""
    return told[:16].replace("T", " ")


@cache
def _asset(name: str) -> str:
    return (files("fuseline.serving.monitor") / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}"
