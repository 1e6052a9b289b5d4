"""`fuseline verify` on a real run, and on one whose kernels are those of another processor."""

from __future__ import annotations

from tests.support.workspace import Workspace


def test_a_stage_made_by_other_kernels_is_found_and_explained(workspace: Workspace) -> None:
    workspace.run("git", "add", "--all")
    workspace.run("git", "commit", "--quiet", "--message", "run")
    before = workspace.run("fuseline", "verify")
    assert before.returncode == 0, before.stdout
    assert before.stdout.splitlines()[-1] == "Reproduced to the last byte, by dvc.lock."
    # The simplest kernels of torch, which every processor has.
    workspace.repro("--force", "--single-item", "pretrain", ATEN_CPU_CAPABILITY="default")
    after = workspace.run("fuseline", "verify").stdout
    assert "Bytes part first at pretrain: its inputs are the same" in after
    assert "variable ATEN_CPU_CAPABILITY: not set -> default" in after
