"""The chart of one stream: its reference, then its one-sided CUSUM."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from fuseline.serving.monitor.baseline import Baseline
from fuseline.serving.monitor.windows import KEPT_ROWS, Told

# Windows that the page shows.
SHOWN_WINDOWS = 120


@dataclass
class Point:
    """A window as the page draws it: its start, rows that count, negatives among them, the chart's
    statistic (None in the reference), whether it alarmed."""

    start: int
    rows: int
    negative: int
    statistic: float | None = None
    alarm: bool = False

    def as_json(self) -> list[Any]:
        """All of it."""
        return [self.start, self.rows, self.negative, self.statistic, self.alarm]


@dataclass
class Chart:
    """Of one stream.

    Attributes:
        reference: windows `[rows, negatives]` until there is a baseline.
        baseline: None until then.
        statistic: S of the chart.
        since: windows since it was zero, with their evidence, the last ones.
        windows: how many there have been since then.
        points: the last ones.
    """

    reference: list[tuple[int, int]] = field(default_factory=list)
    baseline: Baseline | None = None
    statistic: float = 0.0
    windows: int = 0
    since: int | None = None
    evidence: list[Told] = field(default_factory=list)
    points: deque[Point] = field(default_factory=lambda: deque(maxlen=SHOWN_WINDOWS))

    def refer(self, start: int, rows: int, negative: int) -> None:
        """Take a window into the reference."""
        self.reference.append((rows, negative))
        self.points.append(Point(start, rows, negative))

    def step(self, start: int, rows: int, negative: int, told: list[Told]) -> bool:
        """Take a window into the chart; whether that alarms. After an alarm `clear` starts anew."""
        assert self.baseline is not None  # streams without one are referred
        score = self.baseline.score(rows, negative)
        moved = max(0.0, self.statistic + score - self.baseline.allowance)
        if moved == 0.0:
            self.clear()
        else:
            self.statistic, self.windows = moved, self.windows + 1
            self.since = start if self.since is None else self.since
            # Of later windows first, and of each window the most copied first.
            self.evidence = [*told, *self.evidence][:KEPT_ROWS]
        alarm = moved >= self.baseline.limit
        self.points.append(Point(start, rows, negative, round(moved, 4), alarm))
        return alarm

    def clear(self) -> None:
        """Begin at zero."""
        self.statistic, self.windows, self.since, self.evidence = 0.0, 0, None, []

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "reference": self.reference,
            "baseline": self.baseline and self.baseline.as_json(),
            "statistic": self.statistic,
            "windows": self.windows,
            "since": self.since,
            "evidence": [one.as_json() for one in self.evidence],
            "points": [point.as_json() for point in self.points],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Chart:
        """As it was."""
        chart = cls(
            [(rows, negative) for rows, negative in content["reference"]],
            Baseline(**content["baseline"]) if content["baseline"] else None,
            content["statistic"],
            content["windows"],
            content["since"],
            [Told(*one) for one in content["evidence"]],
        )
        chart.points.extend(Point(*point) for point in content["points"])
        return chart
