"""Figures of a run elsewhere: of whole checkpoints, and of that run only."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fuseline.learning.training.progress import progress_since


def checkpoint(work: Path, step: int, losses: list[float], written: int) -> Path:
    folder = work / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    history = [
        entry
        for epoch, loss in enumerate(losses, 1)
        for entry in (
            {"epoch": float(epoch), "loss": 9.0},
            {"epoch": float(epoch), "eval_loss": loss, "train_steps": 3},
        )
    ]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    (folder / "complete.json").write_text("{}")
    os.utime(folder / "complete.json", ns=(written, written))
    return folder


def test_the_newest_checkpoint_tells_all_epochs(tmp_path: Path) -> None:
    checkpoint(tmp_path / "a", 3, [0.9], 200)
    checkpoint(tmp_path / "a", 6, [0.9, 0.7], 300)
    found = progress_since(tmp_path, 100)
    assert found is not None
    assert found.work == tmp_path / "a"
    assert found.epochs == {1: {"loss": 0.9}, 2: {"loss": 0.7}}


def test_checkpoints_of_earlier_runs_are_not_of_this_one(tmp_path: Path) -> None:
    checkpoint(tmp_path / "a", 9, [0.1, 0.1, 0.1], 50)
    assert progress_since(tmp_path, 100) is None
    checkpoint(tmp_path / "b", 3, [0.9], 200)
    found = progress_since(tmp_path, 100)
    assert found is not None
    assert found.work == tmp_path / "b"


@pytest.mark.parametrize("torn", ["complete.json", "trainer_state.json"])
def test_a_torn_checkpoint_says_nothing(tmp_path: Path, torn: str) -> None:
    (checkpoint(tmp_path / "a", 3, [0.9], 200) / torn).unlink()
    assert progress_since(tmp_path, 100) is None


def test_a_state_in_the_midst_of_being_written_says_nothing(tmp_path: Path) -> None:
    (checkpoint(tmp_path / "a", 3, [0.9], 200) / "trainer_state.json").write_text('{"log_hist')
    assert progress_since(tmp_path, 100) is None


def test_no_run_has_no_progress(tmp_path: Path) -> None:
    assert progress_since(tmp_path / "nowhere", 0) is None
