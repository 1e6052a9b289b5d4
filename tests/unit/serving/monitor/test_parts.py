"""Lines, topics, stories and windows, each by itself."""

from __future__ import annotations

import json

import pytest

from fuseline.config import parse_section
from fuseline.errors import ConfigError
from fuseline.serving.monitor.events import Event, parse, told_time
from fuseline.serving.monitor.settings import MonitorSettings
from fuseline.serving.monitor.stories import Stories, prints
from fuseline.serving.monitor.topics import Topics
from fuseline.serving.monitor.windows import Windows
from tests.support.monitored import content, settings

FIELDS = settings().fields


def event(text: str | None = None, **more: object) -> Event:
    return Event(0.0, None, text, "neutral", None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (12, 12.0),
        (12.5, 12.5),
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T01:01:00+01:00", 60.0),
        ("1970-01-01 00:01", 60.0),
    ],
)
def test_times_are_seconds_or_iso_8601(time: object, seconds: float) -> None:
    found = parse(json.dumps({"time": time, "text": "a"}).encode(), FIELDS)
    assert isinstance(found, Event)
    assert found.time == seconds


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[1]", "no JSON object"),
        (b'{"text": "a"}', "no time in time"),
        (b'{"time": true, "text": "a"}', "no time in time"),
        (b'{"time": "soon", "text": "a"}', "no time in time"),
        (b'{"time": 1e999, "text": "a"}', "no time in time"),
        (b'{"time": 1, "text": " "}', "neither text nor label"),
        (b"[" * 100_000, "not JSON"),
        (b'{"time": 1' + b"0" * 4000 + b', "text": "a"}', "no time in time"),
        (b'{"time": NaN, "text": "a"}', "no time in time"),
        (b'{"time": "0001-01-01T00:00:00+14:00", "text": "a"}', "no time in time"),
        (b'{"time": "9999-12-31T23:59:59-14:00", "text": "a"}', "no time in time"),
        (b'{"time": 1, "text": "' + b"a" * 2**18 + b'"}', "longer than 262144 bytes"),
    ],
)
def test_a_line_that_is_no_row_says_why(line: bytes, why: str) -> None:
    assert parse(line, FIELDS) == why


def test_marks_of_editors_are_no_part_of_a_line() -> None:
    found = parse(b'\xef\xbb\xbf{"time": 1, "text": "a"}\r', FIELDS)
    assert isinstance(found, Event)
    assert (found.time, found.text) == (1.0, "a")


def test_halves_of_characters_can_be_written() -> None:
    found = parse(b'{"time": 1, "text": "a \\ud800", "id": "\\udfff"}', FIELDS)
    assert isinstance(found, Event)
    assert (found.text, found.id) == ("a ?", "?")


@pytest.mark.parametrize("time", ["0002-01-01", "9998-12-31T23:59:59Z"])
def test_windows_of_the_first_and_last_times_have_dates(time: str) -> None:
    found = parse(json.dumps({"time": time, "text": "a"}).encode(), FIELDS)
    assert isinstance(found, Event)
    year = settings(window_seconds=31_536_000).window_seconds
    start = int(found.time // year) * year
    assert told_time(start) <= told_time(found.time) <= told_time(start + year)


def test_told_times_are_utc() -> None:
    assert told_time(60.4) == "1970-01-01T00:01:00Z"


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Profits fell", "money"),
        ("a non-profit", "money"),
        ("unprofitable", "other"),
        ("$TSLA, again", "cars"),
        ("the market share of cars", "cars"),
        ("the MARKET\nshares", "other"),
        ("Market-share it is", "trade"),
        (None, "other"),
    ],
)
def test_the_first_topic_with_a_word_of_a_text_is_its(text: str | None, topic: str) -> None:
    topics = Topics({"money": ["profit*"], "cars": ["$tsla", "cars"], "trade": ["market share"]})
    assert topics(event(text)) == topic


def test_a_topic_that_is_given_counts_before_words() -> None:
    topics = Topics({"money": ["profit"], "cars": []})
    given = [Event(0.0, None, "profit", None, one) for one in ("cars", "boats")]
    assert [topics(one) for one in given] == ["cars", "other"]


LONG = "the shares of the paper mill fell by nine per cent in the morning of tuesday"


def told(*texts: str) -> list[int]:
    stories = Stories()
    rows = prints([event(text) for text in texts], near=True)
    return [stories.add(row, 0.85)[0] for row in rows]


def test_near_copies_are_one_story_and_short_texts_only_if_equal() -> None:
    assert told(LONG, LONG.upper() + " ", LONG + ".", "Nokia up", "Nokia  UP", "Nokia up 2") == [
        *(0, 0, 0),
        *(1, 1, 2),
    ]


def test_a_row_that_comes_again_is_a_copy() -> None:
    rows = [Event(0.0, "7", text, None, None) for text in ("one text", "another text")]
    stories = Stories()
    assert [stories.add(row, 0.85) for row in prints(rows, near=True)] == [(0, True), (0, False)]


def test_stories_go_on_as_they_were() -> None:
    first, then = Stories(), [LONG + " it was said", LONG, "Nokia up"]
    for row in prints([event(LONG + "!"), event("Nokia up")], near=True):
        first.add(row, 0.85)
    again = Stories.from_json(json.loads(json.dumps(first.as_json())))
    rows = prints([event(text) for text in then], near=True)
    assert [again.add(row, 0.85) for row in rows] == [first.add(row, 0.85) for row in rows]
    assert again.count == first.count


def test_windows_wait_for_late_rows_and_then_are_over() -> None:
    windows = Windows(100, 30)
    over: list[int] = []

    def come(time: float) -> bool:
        window = windows.of(time)
        over.extend(start for start, _ in windows.advance(time))
        return window is not None

    assert all(map(come, (50, 110, 120, 125)))
    assert over == []
    # The third latest time is 130, so that the first window is over.
    assert all(map(come, (130, 131, 132)))
    assert over == [0]
    assert not come(99)
    assert come(101)


def test_one_wrong_clock_moves_nothing() -> None:
    windows = Windows(100, 0)
    for time in (50, 51, 52, 10**9, 53):
        assert windows.of(time) is not None
        assert list(windows.advance(time)) == []
    assert [start for start, _ in windows.advance(210)] == []
    assert [start for start, _ in windows.advance(211)] == [0]


def test_wrong_clocks_move_nothing_however_many_a_year_brings() -> None:
    windows = Windows(100, 0)
    over: list[int] = []
    for second in range(1000):
        time = 10**9 if second % 5 in (0, 1) else second
        assert windows.of(time) is not None
        over.extend(start for start, _ in windows.advance(time))
    assert over == list(range(0, 900, 100))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"windows": 3}, "monitor.windows: unknown key"),
        ({"guard": 1.0}, "monitor.guard: "),
        ({"topics": {"other": ["a"]}}, "rows of no topic are that"),
        ({"topics": {"a": [" - "]}}, "words of a hold ' - ', which has no letter"),
        ({"negative": []}, "monitor.negative: "),
        ({"window_seconds": 10**9}, "monitor.window_seconds: "),
        ({"run_length_windows": 10**10}, "monitor.run_length_windows: "),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match="(?s)" + message.replace(".", r"\.")):
        parse_section({"monitor": content(**changes)}, "monitor", MonitorSettings)
