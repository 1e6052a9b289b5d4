from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fuseline.contracts import INTERACTIONS, QUARANTINE, read_table
from fuseline.data.ingest.event import EVENT_REASONS, EventRefusal, seconds
from fuseline.data.ingest.interactions import cut_times, event_files, ingest_interactions
from fuseline.data.interactions import load_interactions
from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import EventColumnParams, InteractionParams

HEADER = "who,what,when,stars\n"
GOOD = [("ann", "a", 10), ("bob", "a", 20), ("ann", "b", 30), ("cid", "b", 40), ("bob", "c", 50)]


def params(path: Path | None, **changes: object) -> InteractionParams:
    columns = EventColumnParams(user="who", item="what", time="when", value="stars", kind=None)
    given = {"path": path and str(path), "encoding": "utf-8", "columns": columns}
    return InteractionParams(**(given | {"dev": 0.2, "test": 0.2} | changes))


def ingest(tmp_path: Path, text: str, **changes: object) -> dict:
    file = tmp_path / "events.csv"
    file.write_text(HEADER + text)
    asked = params(file, **changes)
    folders = tmp_path / "interactions", tmp_path / "refused"
    found = ingest_interactions(asked, event_files(asked), {"a", "b", "c"}, *folders)
    assert found is not None
    return found


def lines(events: list) -> str:
    return "".join(f"{user},{item},{time},3\n" for user, item, time in events)


def test_without_a_file_the_table_has_no_events(tmp_path: Path) -> None:
    assert ingest_interactions(params(None), [], (), tmp_path / "none", tmp_path / "q") is None
    assert len(load_interactions(tmp_path / "none", ["a"])) == 0
    assert not (tmp_path / "q").exists()


def test_events_are_kept_in_the_order_of_their_file_and_cut_by_time(tmp_path: Path) -> None:
    found = ingest(tmp_path, lines(GOOD))
    table = read_table(tmp_path / "interactions", INTERACTIONS, "interactions")
    assert table.column("user").to_pylist() == [user for user, _, _ in GOOD]
    assert table.column("value").to_pylist() == [3.0] * 5
    events = load_interactions(tmp_path / "interactions", ["a", "b", "c"])
    assert (events.dev_from, events.test_from) == (40, 50)
    assert found["splits"]["train"]["events"] == 3
    assert found["splits"]["dev"] | {"days": 0.0} == {
        "events": 1, "users": 1, "items": 1, "new_users": 1, "new_items": 0, "days": 0.0,
    }  # fmt: skip
    assert found["splits"]["test"]["new_items"] == 1
    assert (found["users"], found["items"]) == (3, 3)


@pytest.mark.parametrize(
    ("line", "reason", "told"),
    [
        (",a,10,3", "no_user", "'who' is empty"),
        ("ann,z,10,3", "unknown_item", "'z'"),
        ("ann,a,soon,3", "bad_time", "'soon'"),
        ("ann,a,-5,3", "bad_time", "'-5'"),
        ("ann,a,11,-1", "bad_value", "'-1'"),
        ("ann,a,11,nan", "bad_value", "'nan'"),
        ("ann,a,11,1e39", "bad_value", "'1e39'"),
        ("ann,a,1e300,3", "bad_time", "before 2100"),
        ("ann,a,10,5", "duplicate_event", "'ann'"),
    ],
)
def test_what_cannot_be_kept_has_a_reason(
    tmp_path: Path, line: str, reason: str, told: str
) -> None:
    found = ingest(tmp_path, lines(GOOD) + line + "\n")
    assert found["rows_in"] == found["rows_kept"] + found["rows_quarantined"] == 6
    assert found["quarantined"] == dict.fromkeys(EVENT_REASONS, 0) | {reason: 1}
    (row,) = read_table(tmp_path / "refused", QUARANTINE, "quarantine").to_pylist()
    assert (row["reason"], row["source_row"]) == (reason, 5)
    assert told in row["detail"]
    assert json.loads(row["raw"])["what"] in ("a", "z")


def test_events_of_one_second_lie_on_one_side(tmp_path: Path) -> None:
    times = np.array([1, 2, 3, 3, 3, 3, 3, 4])
    assert cut_times(times, params(None, dev=0.25, test=0.25)) == (3, 3)
    assert cut_times(times, params(None, dev=0.0, test=0.0)) == (5, 5)


def test_shards_stay_as_more_events_come(tmp_path: Path) -> None:
    many = [(f"u{row % 7}", "abc"[row % 3], 10 + row) for row in range(20_000)]
    ingest(tmp_path, lines(many[:10_000]))
    first = (tmp_path / "interactions" / "00000.parquet").read_bytes()
    ingest(tmp_path, lines(many))
    assert (tmp_path / "interactions" / "00000.parquet").read_bytes() == first


def test_no_event_that_can_be_kept_says_what_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"unknown_item.*column `id`"):
        ingest(tmp_path, "ann,z,10,3\n")


def test_events_of_one_second_leave_nothing_to_train_on(tmp_path: Path) -> None:
    same = lines([(user, "a", 10) for user in ("ann", "bob", "cid")])
    with pytest.raises(ContractError, match=r"3 of which none is.*finer times"):
        ingest(tmp_path, same)


def test_with_no_shares_all_of_one_second_are_trained_on(tmp_path: Path) -> None:
    same = lines([(user, "a", 10) for user in ("ann", "bob", "cid")])
    found = ingest(tmp_path, same, dev=0.0, test=0.0)
    assert found["splits"]["train"]["events"] == 3


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text("user,what,when,stars\n")
    with pytest.raises(ConfigError, match=r"ingest\.interactions\.columns"):
        event_files(params(file))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1364690142", 1364690142),
        ("1364690142.9", 1364690142),
        ("20130331", 1364688000),
        (20130331, 1364688000),
        ("20131331", 20131331),
        (1364690142000, 1364690142),
        ("2013-03-31T00:35:42Z", 1364690142),
        ("2013-03-31 00:35:42", 1364690142),
        ("2013-03-31T01:35:42+01:00", 1364690142),
        (datetime(2013, 3, 31, 0, 35, 42, tzinfo=UTC), 1364690142),
    ],
)
def test_times_are_seconds_milliseconds_or_dates(cell: object, expected: int) -> None:
    assert seconds(cell) == expected


@pytest.mark.parametrize(
    "cell",
    [
        None, "", "inf", "nan", "1e300", "31.3.2013", "1901-01-01", "2100-01-01",
        1364690142000000, "99999999999",
    ],
)  # fmt: skip
def test_other_times_are_refused(cell: object) -> None:
    with pytest.raises(EventRefusal) as caught:
        seconds(cell)
    assert caught.value.reason == "bad_time"


def test_shares_leave_something_to_train_on() -> None:
    with pytest.raises(ValueError, match="leave events to train on"):
        params(None, dev=0.5, test=0.5)
