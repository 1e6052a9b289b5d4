"""What the command says, by what is to run and by which rows are known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.workbench import estimate
from fuseline.workbench.estimate.due import Due
from tests.support.repository import PARAMS_FILE
from tests.support.workspace import Workspace

STAGES = ("ingest", "tokenize", "finetune")
INGESTED = {
    "rows_kept": 80,
    "splits": {"train": 60, "dev": 10, "test": 10},
    "modalities": {"text": 80, "image": 80, "audio": 0, "video": 0, "tabular": 0},
    "num_labels": 4,
}
Say = Callable[..., str]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run the command where the synthetic source has 120 rows, of which 80 were kept."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(PARAMS_FILE, tmp_path)
    params = {"ingest.source": "synthetic", "ingest.synthetic.num_rows": 120}
    Workspace(tmp_path).set_params(params)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "ingest.json").write_text(json.dumps(INGESTED))

    def said(*arguments: str, will: tuple[str, ...] = (), may: tuple[str, ...] = ()) -> str:
        due = Due(STAGES, frozenset(will), frozenset(may))
        monkeypatch.setattr(estimate, "find_due", lambda _: due)
        result = CliRunner().invoke(app, ["estimate", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return said


def test_with_nothing_to_run_one_line_says_so(say: Say) -> None:
    assert say() == f"{estimate.NOTHING}\n"


def test_stages_that_will_or_may_run_are_counted_on_the_rows_that_are_there(say: Say) -> None:
    lines = say(will=("tokenize",), may=("finetune",)).splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["tokenize", "yes"], ["finetune", "maybe"]]
    assert lines[3].startswith("80 rows of data/examples: about ")


def test_rows_that_are_to_be_ingested_are_those_of_the_source(say: Say) -> None:
    assert "\n120 rows of the source 'synthetic': about " in say(will=("ingest",))


def test_all_stages_can_be_asked_for_and_other_rows(say: Say) -> None:
    assert len(say("--all").splitlines()) == 1 + len(STAGES) + 2
    assert "\n5,000 rows, like 80 rows of data/examples: about " in say("--rows", "5000")
    other = say("--rows", "5000", will=("ingest",))
    assert "\n5,000 rows of the source 'synthetic': about " in other


def test_without_a_number_of_rows_the_command_does_not_fail(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "counted", lambda *_: None)
    assert say(will=("ingest",), may=("finetune",)).startswith("To run: ingest, finetune (maybe).")
