"""Killed, orphaned, doubled and misconfigured runs: what is whole stays whole."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import psutil
import pytest

from tests.declared import DeclaredStage
from tests.pipeline.workspace import Workspace, kill_group, wait_for

FINETUNED = ["models/finetuned", "metrics/finetune.json", "metrics/history/finetune.csv"]
EPOCH_REPORT = "macro avg"
NUM_EPOCHS = 12


def whole_checkpoints(workspace: Workspace) -> list[Path]:
    return list(workspace.root.glob(".checkpoints/finetune/*/checkpoint-*/complete.json"))


@dataclass(frozen=True)
class RunningStage:
    """A `dvc repro` at work on a long fine-tuning, and the stage's own process."""

    workspace: Workspace
    dvc: Popen[str]
    stage: psutil.Process


@pytest.fixture
def running(workspace: Workspace) -> Iterator[RunningStage]:
    workspace.set_params(
        {
            "finetune.training.num_epochs": 100_000,
            "finetune.training.early_stopping_patience": 100_000,
        }
    )
    dvc = workspace.start("dvc", "repro", "--single-item", "finetune")
    try:
        assert wait_for(lambda: whole_checkpoints(workspace), seconds=60)
        (stage,) = (
            process
            for process in psutil.Process(dvc.pid).children(recursive=True)
            if process.name().startswith("python")
        )
        yield RunningStage(workspace, dvc, stage)
    finally:
        kill_group(dvc)


def test_a_stage_ends_with_the_dvc_that_started_it(running: RunningStage) -> None:
    running.dvc.kill()
    assert wait_for(lambda: not running.stage.is_running(), seconds=3)


def test_a_second_run_of_a_stage_says_so_and_stops(
    running: RunningStage, stages: dict[str, DeclaredStage]
) -> None:
    second = running.workspace.run(*shlex.split(stages["finetune"].command))
    assert second.returncode == 1
    assert "another run of stage 'finetune' is at work here" in second.stdout
    assert "Traceback" not in second.stdout
    assert running.stage.is_running()


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    finished: Workspace, tmp_path: Path
) -> None:
    params = {
        "finetune.training.num_epochs": NUM_EPOCHS,
        "finetune.training.early_stopping_patience": NUM_EPOCHS,
    }
    whole, killed = finished.copy(tmp_path / "whole"), finished.copy(tmp_path / "killed")
    for workspace in (whole, killed):
        workspace.set_params(params)
    assert whole.run("dvc", "repro", "--single-item", "finetune").returncode == 0

    first = killed.start("dvc", "repro", "--single-item", "finetune")
    assert wait_for(lambda: whole_checkpoints(killed), seconds=60)
    kill_group(first)
    assert not (killed.root / "models/finetuned").exists()

    second = killed.run("dvc", "repro", "--single-item", "finetune")
    assert second.returncode == 0, second.stdout
    assert 0 < second.stdout.count(EPOCH_REPORT) < NUM_EPOCHS
    assert killed.hashes(FINETUNED) == whole.hashes(FINETUNED)
    assert killed.lock == whole.lock
    assert whole_checkpoints(killed) == []


def test_wrong_params_stop_the_first_run_before_work_begins(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "workspace")
    params = workspace.root / "params.yaml"
    text = params.read_text().replace("top_k: 2", "topk: 2")
    params.write_text(text.replace("\nreport:", "\nraport: {}\nreport:"))
    result = workspace.run("dvc", "repro")
    assert result.returncode != 0
    assert "unknown section 'raport'" in result.stdout
    assert "finetune.freezing.topk: unknown key" in result.stdout
    assert "Did you mean 'top_k'?" in result.stdout
    assert "Traceback" not in result.stdout
    assert not (workspace.root / "data/examples").exists()


def test_a_wrong_value_stops_a_later_stage_too(workspace: Workspace) -> None:
    workspace.set_params({"report.num_examples": "many"})
    result = workspace.run("dvc", "repro")
    assert result.returncode != 0
    assert "report.num_examples: Input should be a valid integer; found 'many'" in result.stdout
