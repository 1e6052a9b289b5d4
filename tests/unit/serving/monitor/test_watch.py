"""What the monitor decides hangs on the rows alone: not on blocks, not on kills."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fuseline.serving.monitor.events import Event, parse
from fuseline.serving.monitor.watch import Line, Watch
from tests.support.monitored import as_lines, settings, stream

SETTINGS = settings()


def events(rows: list[dict[str, Any]]) -> list[Event]:
    found = [parse(line, SETTINGS.fields) for line in as_lines(rows).splitlines()]
    return [one for one in found if isinstance(one, Event)]


@pytest.fixture(scope="module")
def rows() -> list[Event]:
    return events(stream())


@pytest.fixture(scope="module")
def findings(rows: list[Event]) -> list[Line]:
    return list(Watch(SETTINGS).take(rows))


def alarms(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["event"] == "alarm"]


def test_a_surge_alarms_soon_and_says_why(findings: list[Line]) -> None:
    before = [one for one in alarms(findings) if one["window"]["start"] < "1970-01-01T00:33:20Z"]
    surge = [one for one in alarms(findings) if one["topic"] == "people"][len(before) :]
    assert before == []
    assert surge[0]["window"]["end"] <= "1970-01-01T00:41:40Z"
    assert surge[0]["share"] > surge[0]["baseline"] + 0.15
    assert surge[0]["statistic"] >= surge[0]["limit"]
    assert all("layoffs" in one["text"] for one in surge[0]["because"])
    assert len({one["text"].rstrip(".") for one in surge[0]["because"]}) == len(surge[0]["because"])


@pytest.mark.parametrize("size", [1, 7, 64])
def test_blocks_of_any_size_give_the_same(
    rows: list[Event], findings: list[Line], size: int
) -> None:
    watch = Watch(SETTINGS)
    found = [
        line
        for start in range(0, len(rows), size)
        for line in watch.take(rows[start : start + size])
    ]
    assert found == findings


def test_a_kill_after_any_row_changes_nothing(rows: list[Event], findings: list[Line]) -> None:
    watch, found = Watch(SETTINGS), []
    for row in rows:
        state = json.dumps(watch.as_json())
        watch = Watch(SETTINGS)
        watch.restore(json.loads(state))
        assert json.dumps(watch.as_json()) == state
        found += watch.take([row])
    assert found == findings


def test_copies_count_once_in_share_and_volume() -> None:
    text = "the layoffs of the paper mill of the morning were bad news for all of the workers"
    rows = [
        {"time": time, "text": text + end, "label": "negative"}
        for time, end in ((0, ""), (1, "."), (2, "!"), (150, ""), (151, ""), (152, ""))
    ]
    (over,) = Watch(SETTINGS).take(events(rows))
    assert over["topics"] == {"people": [1, 1, 2]}


def test_late_rows_are_counted_and_left_out() -> None:
    rows = [{"time": time, "text": f"sales {time}", "label": "x"} for time in (0, 200, 201, 202, 5)]
    watch = Watch(SETTINGS)
    list(watch.take(events(rows)))
    assert (watch.rows, watch.late) == (5, 1)


@pytest.mark.parametrize(("field", "name"), [("strange", "words"), ("in_scope", "scope")])
def test_words_that_drift_raise_a_notice_and_no_alarm(field: str, name: str) -> None:
    rows = [
        {"time": second * 4, "text": f"sales number {second}", "label": "neutral"}
        for second in range(700)
    ]
    given = events(rows)
    for number, row in enumerate(given):
        odd = number % 10 == 0 or (number > 450 and number % 2 == 0)
        setattr(row, field, odd if field == "strange" else not odd)
    watch = Watch(SETTINGS)
    found = list(watch.take(given))
    notices = [line for line in found if line["event"] == "notice"]
    assert notices and {line["drift"] for line in notices} == {name}
    assert min(line["window"]["start"] for line in notices) >= "1970-01-01T00:28:20Z"
    assert (alarms(found), watch.alarms) == ([], 0)


def test_the_run_length_is_divided_over_the_topics(findings: list[Line]) -> None:
    baselines = [line for line in findings if line["event"] == "baseline"]
    assert {line["topic"] for line in baselines} == {"sales", "people", "other"}
    assert {line["run_length_windows"] for line in baselines} == {3 * 20}
