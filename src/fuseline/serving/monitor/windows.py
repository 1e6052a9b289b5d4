"""Windows of event time, which wait a while for late rows.

The watermark is how far time has surely come: the third latest time of five rows that came one
after another, so that single rows with wrong clocks move nothing, however many a year brings, less
what late rows are waited for. A window is over once the watermark has passed its end; rows that
come after that are late, counted and left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fuseline.serving.monitor.events import Event
from fuseline.serving.monitor.stories import Print, Stories

# So many rows, of as many that came last, have to be as late as the watermark says.
CONFIRMED, RECENT = 3, 5
# Negative stories of a window that are kept as evidence, and characters of their texts.
KEPT_ROWS = 20
TEXT_CHARACTERS = 240


@dataclass
class Told:
    """A story that is evidence: its first row, and how many rows copied it."""

    id: str | None
    time: float
    text: str | None
    copies: int = 0

    def as_json(self) -> list[Any]:
        """All of it."""
        return [self.id, self.time, self.text, self.copies]


@dataclass
class Topic:
    """What one topic has in one window: stories, negative ones among them, and copies."""

    stories: Stories = field(default_factory=Stories)
    negative: int = 0
    copies: int = 0
    told: dict[int, Told] = field(default_factory=dict)

    def add(self, event: Event, row: Print, similarity: float, *, negative: bool) -> bool:
        """Count a row; whether its story is new."""
        number, new = self.stories.add(row, similarity)
        if not new:
            self.copies += 1
            if number in self.told:
                self.told[number].copies += 1
            return False
        if negative:
            self.negative += 1
            text = event.text and event.text[:TEXT_CHARACTERS]
            self.told[number] = Told(event.id, event.time, text)
        return True

    def evidence(self) -> list[Told]:
        """Negative stories, the most copied first, else in the order of arrival."""
        return sorted(self.told.values(), key=lambda one: -one.copies)[:KEPT_ROWS]

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "stories": self.stories.as_json(),
            "negative": self.negative,
            "copies": self.copies,
            "told": {str(number): one.as_json() for number, one in self.told.items()},
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Topic:
        """As it was."""
        told = {int(number): Told(*one) for number, one in content["told"].items()}
        stories = Stories.from_json(content["stories"])
        return cls(stories, content["negative"], content["copies"], told)


@dataclass
class Window:
    """One span of time: its topics, and counts `[rows, those that are strange]` by what of the
    words is looked at."""

    topics: dict[str, Topic] = field(default_factory=dict)
    drift: dict[str, list[int]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        topics = {name: topic.as_json() for name, topic in self.topics.items()}
        return {"topics": topics, "drift": self.drift}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Window:
        """As it was."""
        topics = {name: Topic.from_json(one) for name, one in content["topics"].items()}
        return cls(topics, content["drift"])


class Windows:
    """Those that are open.

    Args:
        seconds: of one.
        late_seconds: that it waits.
    """

    def __init__(self, seconds: int, late_seconds: int) -> None:
        self.seconds, self.late_seconds = seconds, late_seconds
        self._open: dict[int, Window] = {}
        self._recent: deque[float] = deque(maxlen=RECENT)
        # Number of the first window that is not over; None before any is.
        self._next: int | None = None

    def of(self, time: float) -> Window | None:
        """The window of a time; None where it is over."""
        number = int(time // self.seconds)
        if self._next is not None and number < self._next:
            return None
        return self._open.setdefault(number, Window())

    def advance(self, time: float) -> Iterator[tuple[int, Window]]:
        """A row of this time has come: windows that are over by it, with their starts, in order."""
        self._recent.append(time)
        if len(self._recent) < CONFIRMED:
            return
        confirmed = sorted(self._recent)[-CONFIRMED]
        over = int((confirmed - self.late_seconds) // self.seconds)
        if self._next is None or over > self._next:
            self._next = over
            for number in sorted(number for number in self._open if number < over):
                yield number * self.seconds, self._open.pop(number)

    def rows(self) -> int:
        """Rows of open windows, copies too."""
        topics = [one for window in self._open.values() for one in window.topics.values()]
        return sum(topic.stories.count + topic.copies for topic in topics)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "open": {str(number): window.as_json() for number, window in self._open.items()},
            "recent": list(self._recent),
            "next": self._next,
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Be as it was."""
        self._open = {int(name): Window.from_json(one) for name, one in content["open"].items()}
        self._recent.extend(content["recent"])
        self._next = content["next"]
