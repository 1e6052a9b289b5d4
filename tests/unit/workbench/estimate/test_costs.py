"""Seconds come from a stage's own last run where its work of then is known, else from slopes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from fuseline.config import read_yaml
from fuseline.params.whole import set_keys
from fuseline.pipeline.durations import LastRun
from fuseline.workbench.estimate.calibration import Speed, calibrate
from fuseline.workbench.estimate.costs import Cost, Estimator
from fuseline.workbench.estimate.due import Due
from fuseline.workbench.estimate.slopes import Slopes, family, measured
from fuseline.workbench.estimate.table import describe, describe_unknown
from fuseline.workbench.terminal import duration, size
from tests.support.declared_stages import declared_stages
from tests.support.repository import PARAMS_FILE, REPOSITORY
from tests.unit.workbench.estimate.test_work import FACTS

CONTENT = read_yaml(PARAMS_FILE)
SPEED = Speed(products=0.02, steps=0.01)
# A second to start, ten for each epoch of 10^12 multiply-adds.
SLOPES = Slopes({"finetune": {"seconds": {"start": 1.0, "train_gmac": 0.01}}}, SPEED)


def changed(**changes: Any) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    set_keys(content, {key.replace("__", "."): value for key, value in changes.items()})
    return content


def cost(content: dict[str, Any], last: LastRun | None = None, speed: Speed = SPEED) -> Cost:
    runs = {"finetune": last} if last else {}
    return Estimator(content, FACTS, SLOPES, speed, 1).costs(["finetune"], runs, FACTS)["finetune"]


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tokens table of a thousand bytes in the working directory."""
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "data" / "tokens"
    table.mkdir(parents=True)
    (table / "00000.parquet").write_bytes(bytes(1000))
    return table


def last_run(seconds: float, *, size: int = 1000, whole: bool = True, epochs: int = 8) -> LastRun:
    content = changed(finetune__training__num_epochs=epochs)
    params = {name: content[name] for name in ("base", "finetune")}
    return LastRun(seconds, params, {"data/tokens": size}, whole)


def test_slopes_are_scaled_to_this_machine() -> None:
    here, slower = cost(CONTENT), cost(CONTENT, speed=Speed(products=0.04, steps=0.01))
    assert here.seconds and slower.seconds
    assert slower.seconds == pytest.approx(1 + 2 * (here.seconds - 1))
    assert here.known_from == "slopes"


def test_the_last_run_of_the_same_work_is_what_it_takes(tokens: Path) -> None:
    found = cost(CONTENT, last_run(70.0))
    assert (found.seconds, found.known_from) == (pytest.approx(70.0), "last run")


def test_the_last_run_is_scaled_by_params_and_by_rows(tokens: Path) -> None:
    by_slopes = cost(CONTENT).seconds
    assert by_slopes
    once, twice = (cost(changed(finetune__training__num_epochs=n)).seconds for n in (4, 8))
    assert once and twice
    found = cost(CONTENT, last_run(70.0, epochs=4))
    assert found.seconds == pytest.approx(70.0 * twice / once)
    # Of half the bytes that the table has now: half the rows.
    assert cost(CONTENT, last_run(70.0, size=500)).seconds == pytest.approx(
        70.0 * by_slopes / (1 + (by_slopes - 1) / 2)
    )


def test_a_run_that_went_on_from_a_killed_one_tells_nothing(tokens: Path) -> None:
    assert cost(CONTENT, last_run(3.0, whole=False)).known_from == "slopes"


def test_a_run_with_params_of_another_version_tells_nothing(tokens: Path) -> None:
    strange = LastRun(3.0, {"finetune": {"epochs": 3}}, {"data/tokens": 1000}, whole=True)
    assert cost(CONTENT, strange).known_from == "slopes"
    lost = LastRun(3.0, {"base.strange": 3}, {"data/tokens": 1000}, whole=True)
    assert cost(CONTENT, lost).known_from == "slopes"


def test_every_stage_has_slopes() -> None:
    stages = set(declared_stages(REPOSITORY)) - {"code"}
    assert {family(stage) for stage in stages} == set(measured().stages)
    costs = Estimator(CONTENT, FACTS, measured(), measured().speed, 2).costs(stages, {}, None)
    for name, found in costs.items():
        assert found.seconds and found.seconds > 0.5, name
        assert 5e7 < found.memory < 1e10, name
        assert found.disk >= 0, name


def test_calibration_is_short_and_positive() -> None:
    found = calibrate()
    assert 0 < found.products < 1
    assert 0 < found.steps < 1


COSTS = {
    "ingest": Cost(14.2, 2e8, 1e7, "last run"),
    "finetune": Cost(754.0, 1.46e9, 6e8, "slopes"),
    "mine": Cost(None, 0.0, 0.0, "slopes"),
}


def test_the_table_says_what_runs_how_long_and_by_what_it_is_known() -> None:
    due = Due(tuple(COSTS), frozenset({"ingest", "mine"}), frozenset({"finetune"}))
    head, *lines = describe(due, COSTS, "100 rows").splitlines()
    assert head.split() == ["stage", "runs", "time", "memory", "disk", "time", "from"]
    assert lines[0].split() == ["ingest", "yes", "14", "s", "200", "MB", "10", "MB", "last", "run"]
    assert lines[1].split() == [
        "finetune",
        "maybe",
        "13",
        "min",
        "1.5",
        "GB",
        "600",
        "MB",
        "slopes",
    ]
    assert lines[2].split() == ["mine", "yes", "?", "0", "MB", "0", "MB", "slopes"]
    assert lines[3] == (
        "100 rows: about 14 s, or 13 min with all that may run; memory up to 1.5 GB,"
        " disk 610 MB with DVC's cache."
    )
    assert lines[4].startswith("Times: those from the last run are that run's")


def test_without_a_number_of_rows_the_stages_are_named_and_what_to_say() -> None:
    due = Due(tuple(COSTS), frozenset({"ingest"}), frozenset({"finetune"}))
    said = "How many rows the source has is known once they are read. What so many cost:"
    remedy = "fuseline estimate --rows 10000"
    assert describe_unknown(due, ["ingest", "finetune"]) == (
        f"To run: ingest, finetune (maybe).\n{said} {remedy}"
    )
    assert describe_unknown(None, COSTS).startswith("To run: ingest, finetune, mine.\n")


def test_a_table_of_all_stages_says_nothing_of_which_run() -> None:
    said = describe(None, COSTS, "100 rows")
    assert "runs" not in said
    assert "100 rows: about 13 min; memory" in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3599.6, "1 h"),
        (12000, "3 h 20 min"),
    ],
)
def test_times_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_sizes_are_decimal() -> None:
    assert (size(839e6), size(1.44e9)) == ("839 MB", "1.4 GB")
