"""Trials as real experiments: killed, gone on with, pruned; and what `compare` makes of them."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from fuseline.pipeline.revisions import experiment, head
from fuseline.workbench.tuning.experiment import COPIES, DvcRunner
from fuseline.workbench.tuning.plan import Plan, read_plan
from fuseline.workbench.tuning.study import Failed, Pruned
from tests.support.workspace import Workspace, wait_for

FUSELINE = (sys.executable, "-m", "fuseline.cli")
NUM_EPOCHS = 40
PLAN = """
study: rates
metric: metrics/finetune.json:dev.loss
direction: minimize
trials: 2
seed: 0
pruner: {kind: none}
space:
  finetune.training.learning_rate: {kind: log, low: 1.0e-5, high: 1.0e-2}
  finetune.freezing.policy: {kind: categorical, choices: [all, head]}
"""


@pytest.fixture
def committed(workspace: Workspace) -> Workspace:
    """A finished workspace with all in git, whose fine-tuning takes some seconds."""
    workspace.set_params(
        {
            "finetune.training.num_epochs": NUM_EPOCHS,
            "finetune.training.early_stopping_patience": NUM_EPOCHS,
        }
    )
    (workspace.root / "tune.yaml").write_text(PLAN)
    for command in (("add", "--all"), ("commit", "--quiet", "--message", "finished")):
        assert workspace.run("git", *command).returncode == 0
    return workspace


def checkpoints(workspace: Workspace) -> list[Path]:
    return list(workspace.root.glob(".checkpoints/finetune/*/checkpoint-*/complete.json"))


def copies(workspace: Workspace) -> list[Path]:
    return list((workspace.root / COPIES / "standalone").glob("tmp*"))


def is_as_committed(workspace: Workspace) -> bool:
    return workspace.run("git", "status", "--porcelain").stdout == ""


def test_a_killed_search_goes_on_and_leaves_the_working_tree_alone(committed: Workspace) -> None:
    first = committed.start(*FUSELINE, "tune")
    assert wait_for(lambda: checkpoints(committed), seconds=120)
    below = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    assert wait_for(lambda: not any(one.is_running() for one in below), seconds=15)
    assert copies(committed)

    second = committed.run(*FUSELINE, "tune")
    assert second.returncode == 0, second.stdout
    assert re.findall(r"^(tune-rates-\d): dev.loss", second.stdout, re.MULTILINE) == [
        "tune-rates-0",
        "tune-rates-1",
    ]
    log = (committed.root / ".tune/rates/tune-rates-0.log").read_text()
    assert 0 < log.count("macro avg") < NUM_EPOCHS, "it began anew instead of going on"
    assert is_as_committed(committed)
    assert copies(committed) == []
    assert checkpoints(committed) == []
    assert (committed.root / ".tune/rates/summary.svg").read_text().startswith("<svg")
    listed = committed.run("dvc", "exp", "list", "--name-only").stdout.split()
    assert sorted(listed) == ["tune-rates-0", "tune-rates-1"]
    refused = committed.run(*FUSELINE, "compare", "HEAD", "tune-rates-0")
    assert refused.returncode == 2
    assert "tune-rates-0: its metrics/evaluate/*.json are older than" in refused.stdout


@pytest.fixture
def runner(committed: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DvcRunner:
    for name, value in committed.environment.items():
        monkeypatch.setenv(name, value)
    plan: Plan = read_plan(committed.root / "tune.yaml")
    return DvcRunner(
        committed.root, plan, head(committed.root), tmp_path, committed.root / "tune.yaml"
    )


def values(**changes: Any) -> dict[str, Any]:
    return {
        "finetune.training.learning_rate": 1e-05,
        "finetune.freezing.policy": "head",
        **{f"finetune.training.{name}": value for name, value in changes.items()},
    }


def test_a_pruned_trial_leaves_nothing_behind(committed: Workspace, runner: DvcRunner) -> None:
    seen: list[tuple[int, float]] = []

    def watch(epoch: int, value: float) -> bool:
        seen.append((epoch, value))
        return True

    # Figures are seen at checkpoints, of which a run has twelve.
    long = values(num_epochs=1200, early_stopping_patience=1200)
    began = time.time()
    assert runner.run("pruned", long, watch) == Pruned()
    assert [epoch for epoch, _ in seen] == [1]
    assert experiment(committed.root, "pruned", runner.baseline) is None
    assert copies(committed) == []
    assert checkpoints(committed) == []
    assert not [
        one
        for one in psutil.process_iter(["cwd", "create_time"])
        if str(committed.root) in (one.info["cwd"] or "") and one.info["create_time"] > began
    ]
    assert is_as_committed(committed)


def test_a_failing_trial_says_why(committed: Workspace, runner: DvcRunner) -> None:
    outcome = runner.run("failing", values(batch_size=0), lambda _epoch, _value: False)
    assert isinstance(outcome, Failed)
    assert "finetune: params.yaml: invalid params" in outcome.reason
    assert "failing.log" in outcome.reason
    assert is_as_committed(committed)


def test_an_experiment_is_compared_with_its_commit(committed: Workspace) -> None:
    done = committed.run(
        *("dvc", "exp", "run", "--temp", "--name", "other", "evaluate@finetuned"),
        *("-S", "finetune.training.num_epochs=8"),
    )
    assert done.returncode == 0, done.stdout
    compared = committed.run(*FUSELINE, "compare", "HEAD", "other")
    assert compared.returncode == 0, compared.stdout
    assert re.search(r"finetuned: accuracy [+-]0\.\d+ .*\(p [\d.]+, \d+ rows\)", compared.stdout)
    assert "adversarial: not evaluated at other" in compared.stdout
