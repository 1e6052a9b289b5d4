"""A run repeats to the last byte, and what is up to date does not run."""

from __future__ import annotations

from tests.declared import DeclaredStage
from tests.pipeline.workspace import Workspace


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
    finished: Workspace, workspace: Workspace, stages: dict[str, DeclaredStage]
) -> None:
    assert set(workspace.repro("--force")) == set(stages)
    outs = [path for stage in stages.values() for path in stage.outs]
    assert workspace.hashes(outs) == finished.hashes(outs)
    assert workspace.lock == finished.lock


def test_a_run_leaves_no_work_in_progress(finished: Workspace) -> None:
    left = [path for path in (finished.root / ".checkpoints").rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {"lock"}
    assert list(finished.root.glob("**/*.partial")) == []
