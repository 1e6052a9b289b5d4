"""`fuseline recommend` as its users have it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from fuseline.cli import app
from tests.support.recommenders import AS_OF, DAY, write_recommender


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recommender(tmp_path_factory.mktemp("recommend"))


def run(export: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["recommend", "--model", str(export), *options])


def listed(export: Path, *options: str) -> dict:
    found = run(export, *options, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def given(folder: Path, content: object) -> tuple[str, str]:
    path = folder / "history.json"
    path.write_text(json.dumps(content))
    return "--history", str(path)


def test_a_known_user(export):
    found = run(export, "--user", "ann", "--count", "3")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("  1. Film ")
    assert "score" in lines[0]
    assert lines[1].strip().startswith("because of “Film 5” ")


def test_a_history_lists_as_the_same_user(export, tmp_path):
    days = [AS_OF - DAY * (9 - place) for place in range(6)]
    events = [{"item": f"i{place}", "time": time} for place, time in enumerate(days)]
    known = listed(export, "--user", "ann")
    assert listed(export, *given(tmp_path, events[::-1])) == known
    events[0]["time"] = datetime.fromtimestamp(days[0], UTC).isoformat()
    assert listed(export, *given(tmp_path, events)) == known


def test_nothing_used(export, tmp_path):
    assert listed(export, *given(tmp_path, []))["basis"] == "popularity"
    assert run(export, *given(tmp_path, [])).stdout.startswith("No history: ranked by what is")


def test_unknown_items_are_named_and_left_out(export, tmp_path):
    found = run(export, *given(tmp_path, ["i3", "gone"]), "--json")
    assert "left out, as no item here: gone" in found.stderr
    assert json.loads(found.stdout) == listed(export, *given(tmp_path, ["i3"]))
    found = run(export, *given(tmp_path, ["gone", "lost"]))
    assert found.exit_code == 2
    assert "none of the 2 ids is of an item here, such as 'gone'" in found.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "expected a list, found dict"),
        ([3], "event 0: expected an id"),
        (["i1", {"item": "i2", "when": 3}], "event 1: expected 'item' and 'time', found 'when'"),
        ([{"item": "i2", "time": "soon"}], "event 0: time: expected ISO 8601"),
        ([{"item": "i2", "time": 1e30}], "event 0: time: expected ISO 8601"),
        ([{"item": "i2", "time": [1]}], "event 0: time: expected ISO 8601"),
    ],
)
def test_a_wrong_history(export, tmp_path, content, told):
    found = run(export, *given(tmp_path, content))
    assert found.exit_code == 2
    assert told in found.stderr


def test_an_unknown_user(export):
    found = run(export, "--user", "zed")
    assert found.exit_code == 2
    assert "nothing is known of 'zed'" in found.stderr
    assert "--history FILE.json" in found.stderr


@pytest.mark.parametrize(
    "options", [[], ["--user", "ann", "--all-users"], ["--all-users"], ["--user", "a", "-o", "b"]]
)
def test_one_person_or_all(export, options):
    assert run(export, *options).exit_code == 2


def test_all_users(export, tmp_path):
    output = tmp_path / "lists.parquet"
    found = run(export, "--all-users", "-o", str(output), "--count", "4", "--where", "year<=2015")
    assert found.stdout == f"{output}: lists of 3 users, 4 items each at most.\n"
    assert pq.read_table(output).num_rows == 12


def test_nothing_fits(export):
    found = run(export, "--user", "ann", "--where", "genre=None such")
    assert found.exit_code == 0
    assert "No item is left to list" in found.stderr
