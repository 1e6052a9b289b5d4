"""A run repeats to the last byte, and what is up to date does not run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from fuseline.pipeline import durations
from fuseline.pipeline.environment import RECORD_FILE, read_record
from tests.support.declared_stages import DeclaredStage
from tests.support.workspace import Workspace

# What differs from user to user and must not reach an output. More threads of the libraries
# than `base.num_threads` is one of these.
ANOTHER_USER = {
    "TZ": "Asia/Kathmandu",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "12345",
    "USER": "somebody",
    "OMP_NUM_THREADS": "2",
    "TMPDIR": "/tmp",
    "COLUMNS": "40",
}


def test_the_first_run_ran_every_stage_once(
    finished: Workspace, stages: dict[str, DeclaredStage]
) -> None:
    observed = list(finished.observations.glob("*.json"))
    assert len(observed) == len(stages)


def test_nothing_runs_when_nothing_changed(workspace: Workspace) -> None:
    before = workspace.lock
    assert workspace.repro() == []
    assert workspace.lock == before


def test_a_forced_run_elsewhere_gives_the_same_bytes(
    finished: Workspace, stages: dict[str, DeclaredStage], tmp_path: Path
) -> None:
    """For another user, in another folder, with nothing that an earlier run has kept."""
    elsewhere = finished.copy(tmp_path / "another place, ein längerer Weg" / "workspace")
    shutil.rmtree(elsewhere.root / ".feature_cache")
    (elsewhere.root / RECORD_FILE).unlink()
    usual = os.umask(0o077)
    try:
        ran = elsewhere.repro("--force", **ANOTHER_USER, HOME=str(tmp_path))
    finally:
        os.umask(usual)
    assert set(ran) == set(stages)
    outs = [path for stage in stages.values() for path in stage.outs]
    assert elsewhere.hashes(outs) == finished.hashes(outs)
    assert elsewhere.lock == finished.lock
    assert elsewhere.hashes([str(RECORD_FILE)]) == finished.hashes([str(RECORD_FILE)])


def test_parts_in_two_processes_give_the_bytes_of_one(
    workspace: Workspace, finished: Workspace, stages: dict[str, DeclaredStage]
) -> None:
    spread = ["prompt", "evaluate@finetuned", "stress"]
    workspace.set_params({"base.num_threads": 2})
    assert set(workspace.repro("--single-item", "--force", *spread)) == set(spread)
    outs = [path for name in spread for path in stages[name].outs]
    assert workspace.hashes(outs) == finished.hashes(outs)


def test_the_record_names_every_stage_and_one_environment(
    finished: Workspace, stages: dict[str, DeclaredStage]
) -> None:
    record = read_record(finished.root)
    assert set(record["stages"]) == set(stages) - {"code"}
    assert len(record["environments"]) == 1
    assert record["stages"]["finetune"]["precision"] == "fp32"
    assert "precision" not in record["stages"]["ingest"]


def test_a_run_leaves_no_work_in_progress(finished: Workspace) -> None:
    left = [path for path in (finished.root / ".checkpoints").rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {"lock", durations.FILE}


def test_a_user_is_told_how_long_each_stage_took(
    finished: Workspace, stages: dict[str, DeclaredStage]
) -> None:
    known = durations.read(finished.root / ".checkpoints")
    assert set(known) == set(stages) - {"code"}
    assert min(run.seconds for run in known.values()) > 0
    assert all(run.whole for run in known.values())
    said = finished.run("fuseline", "summary").stdout.splitlines()[-len(known) - 2 :]
    assert said[0].split() == ["stage", "last", "run", "took"]
    assert {line.split()[0] for line in said[1:]} == {*known, "all"}


def test_a_user_is_told_what_the_next_run_costs(finished: Workspace, tmp_path: Path) -> None:
    assert finished.run("fuseline", "estimate").stdout.startswith("Nothing to run: ")
    copy = finished.copy(tmp_path / "copy")
    copy.set_params({"finetune.training.num_epochs": 2})
    said = copy.run("fuseline", "estimate").stdout.splitlines()
    assert said[0].split()[:2] == ["stage", "runs"]
    runs = {line.split()[0]: line.split()[1] for line in said[1:-2]}
    behind = ("adversarial_finetune", "evaluate@finetuned", "evaluate@adversarial", "stress")
    assert runs == {"finetune": "yes"} | dict.fromkeys((*behind, "export", "report"), "maybe")
    # From its own last run, whose epochs were half as many.
    assert said[1].endswith("last run")
    assert said[-2].startswith("120 rows of data/examples: about ")


def test_no_partial_output_is_left(finished: Workspace) -> None:
    assert list(finished.root.glob("**/*.partial")) == []
