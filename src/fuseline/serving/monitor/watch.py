"""Rows in, findings out: all that the monitor decides, without clock, files or model.

The same rows in the same order give the same findings, however many come at once; and all that it
remembers can be written down between any two rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

from fuseline.serving.monitor.baseline import Wanted, fit
from fuseline.serving.monitor.chart import Chart
from fuseline.serving.monitor.events import Event, told_time
from fuseline.serving.monitor.settings import MonitorSettings
from fuseline.serving.monitor.stories import Print, prints
from fuseline.serving.monitor.topics import Topics
from fuseline.serving.monitor.windows import Told, Topic, Window, Windows

# What of the words is looked at: texts that fall to pieces, rows out of the model's scope.
WORDS, SCOPE = "words", "scope"
DRIFT = (WORDS, SCOPE)
TOPIC_KIND, DRIFT_KIND = "topic", "drift"
# What a finding is called.
ALARM, NOTICE = "alarm", "notice"

# A line of JSON: an alarm or notice, or what else happened.
Line = dict[str, Any]


class Watch:
    """The charts of all topics, and of the words.

    Args:
        settings: what is watched.

    Attributes:
        late: rows that came after their window was over.
        refused: lines that were no rows, by why.
        rows: rows that were taken.
        alarms: how many there have been, without notices.
    """

    def __init__(self, settings: MonitorSettings) -> None:
        self.settings = settings
        self.windows = Windows(settings.window_seconds, settings.late_seconds)
        self.charts = {
            **{_key(TOPIC_KIND, name): Chart() for name in settings.streams},
            **{_key(DRIFT_KIND, name): Chart() for name in DRIFT},
        }
        self.late, self.rows, self.alarms = 0, 0, 0
        self.refused: dict[str, int] = {}
        self._topic_of = Topics(settings.topics)
        self._negative = frozenset(settings.negative)

    def refuse(self, why: str) -> None:
        """Count a line that is no row."""
        self.refused[why] = self.refused.get(why, 0) + 1

    def take(self, events: Sequence[Event]) -> Iterator[Line]:
        """What rows lead to: windows that are over, baselines, alarms and notices."""
        near = self.settings.copy_similarity < 1.0
        for event, row in zip(events, prints(events, near=near), strict=True):
            self.rows += 1
            window = self.windows.of(event.time)
            if window is None:
                self.late += 1
                continue
            self._count(window, event, row)
            for start, over in self.windows.advance(event.time):
                yield from self._close(start, over)

    def as_json(self) -> dict[str, Any]:
        """All that it remembers."""
        return {
            "windows": self.windows.as_json(),
            "charts": {name: chart.as_json() for name, chart in self.charts.items()},
            "late": self.late,
            "rows": self.rows,
            "alarms": self.alarms,
            "refused": self.refused,
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Be as it was."""
        self.windows.restore(content["windows"])
        self.charts = {name: Chart.from_json(one) for name, one in content["charts"].items()}
        self.late, self.rows, self.alarms = content["late"], content["rows"], content["alarms"]
        self.refused = content["refused"]

    def _count(self, window: Window, event: Event, row: Print) -> None:
        topic = window.topics.setdefault(self._topic_of(event), Topic())
        similarity, negative = self.settings.copy_similarity, event.label in self._negative
        if topic.add(event, row, similarity, negative=negative):
            outside = None if event.in_scope is None else not event.in_scope
            for name, is_so in ((WORDS, event.strange), (SCOPE, outside)):
                if is_so is not None:
                    counts = window.drift.setdefault(name, [0, 0])
                    counts[0] += 1
                    counts[1] += is_so

    def _close(self, start: int, window: Window) -> Iterator[Line]:
        yield {
            "event": "window",
            "start": told_time(start),
            "topics": {
                name: [topic.stories.count, topic.negative, topic.copies]
                for name, topic in window.topics.items()
            },
            "words": window.drift,
            "late": self.late,
        }
        for name in self.settings.streams:
            if topic := window.topics.get(name):
                yield from self._step(TOPIC_KIND, name, start, topic)
        for name in DRIFT:
            if counts := window.drift.get(name):
                yield from self._step(DRIFT_KIND, name, start, _as_topic(*counts))

    def _step(self, kind: str, name: str, start: int, topic: Topic) -> Iterator[Line]:
        chart = self.charts[_key(kind, name)]
        rows = topic.stories.count
        if chart.baseline is None:
            chart.refer(start, rows, topic.negative)
            if len(chart.reference) == self.settings.reference_windows:
                yield self._settle(kind, name, chart)
        elif chart.step(start, rows, topic.negative, topic.evidence()):
            self.alarms += kind == TOPIC_KIND
            yield self._finding(kind, name, start, chart)
            chart.clear()

    def _settle(self, kind: str, name: str, chart: Chart) -> Line:
        """Take the baseline from the reference."""
        streams = len(self.settings.streams) if kind == TOPIC_KIND else len(DRIFT)
        wanted = Wanted(
            self.settings.run_length_windows * streams, self.settings.surge, self.settings.guard
        )
        chart.baseline = fit(chart.reference, self._pooled(kind), wanted)
        return {
            "event": "baseline",
            kind: name,
            **chart.baseline.as_json(),
            "run_length_windows": wanted.run_length,
            "reference_rows": sum(rows for rows, _ in chart.reference),
        }

    def _pooled(self, kind: str) -> float:
        """The share of all streams of a kind, in their references so far."""
        charts = [chart for name, chart in self.charts.items() if name.startswith(f"{kind}:")]
        seen = [window for chart in charts for window in chart.reference]
        return sum(negative for _, negative in seen) / max(1, sum(rows for rows, _ in seen))

    def _finding(self, kind: str, name: str, start: int, chart: Chart) -> Line:
        point, baseline = chart.points[-1], chart.baseline
        assert baseline is not None and chart.since is not None  # it has alarmed
        end = told_time(start + self.settings.window_seconds)
        known = blake2b(f"{kind} {name} {start}".encode(), digest_size=8).hexdigest()
        return {
            "event": ALARM if kind == TOPIC_KIND else NOTICE,
            "id": known,
            kind: name,
            "window": {"start": told_time(start), "end": end},
            "since": told_time(chart.since),
            "windows": chart.windows,
            "rows": point.rows,
            "share": round(point.negative / point.rows, 4),
            "baseline": round(baseline.share, 4),
            "statistic": round(chart.statistic, 4),
            "limit": round(baseline.limit, 4),
            "because": [_because(one) for one in chart.evidence],
        }


def _key(kind: str, name: str) -> str:
    return f"{kind}:{name}"


def _as_topic(rows: int, strange: int) -> Topic:
    topic = Topic(negative=strange)
    topic.stories.count = rows
    return topic


def _because(told: Told) -> Line:
    return {
        "id": told.id,
        "time": told_time(told.time),
        "text": told.text,
        "copies": told.copies,
    }
