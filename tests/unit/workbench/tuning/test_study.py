"""The study's logic with a runner that only pretends to train."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fuseline.errors import ConfigError, ContractError
from fuseline.workbench.tuning.plan import Plan
from fuseline.workbench.tuning.report import conclude
from fuseline.workbench.tuning.study import (
    Failed,
    Finished,
    Outcome,
    Pruned,
    Watch,
    locked,
    open_study,
    search,
)

PLAN = {
    "study": "toy",
    "metric": "metrics/finetune.json:dev.loss",
    "direction": "minimize",
    "trials": 5,
    "seed": 7,
    "pruner": {"kind": "none"},
    "space": {
        "finetune.training.learning_rate": {"kind": "log", "low": 1e-5, "high": 1e-1},
        "finetune.training.num_epochs": {"kind": "int", "low": 1, "high": 4},
        "finetune.freezing.policy": {"kind": "categorical", "choices": ["all", "head"]},
    },
}


class Killed(BaseException):
    """As if the process were gone."""


@dataclass
class Pretending:
    """Its loss is the number of epochs; it notes what it ran, and may be killed in a trial."""

    kill_in: str = ""
    refuse_in: str = ""
    fail_in: tuple[str, ...] = ()
    epochs: int = 1
    worse_from: int = 99
    same: bool = False
    ran: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def run(self, name: str, values: Mapping[str, Any], watch: Watch) -> Outcome:
        self.ran.append((name, dict(values)))
        if name == self.kill_in:
            watch(1, 0.5)
            raise Killed
        if name == self.refuse_in:
            raise ConfigError("not committed: params.yaml")
        if name in self.fail_in:
            return Failed("the loss is nan")
        loss = 0.5 if self.same else values["finetune.training.num_epochs"] / 10
        number = int(name.rsplit("-", 1)[1])
        for epoch in range(1, self.epochs + 1):
            if watch(epoch, 5.0 if number >= self.worse_from else 1.0):
                return Pruned()
        return Finished(loss, {})


def plan(**changes: Any) -> Plan:
    return Plan.model_validate(PLAN | changes)


def run(folder: Path, runner: Pretending, chosen: Plan | None = None) -> list[str]:
    chosen = chosen or plan()
    lines: list[str] = []
    search(open_study(folder, chosen, "c0ffee"), chosen, runner, lines.append)
    return lines


def test_every_trial_is_run_once_and_told(tmp_path: Path) -> None:
    runner = Pretending()
    lines = run(tmp_path, runner)
    assert [name for name, _ in runner.ran] == [f"tune-toy-{number}" for number in range(5)]
    assert len(lines) == 5
    assert all(line.startswith(f"tune-toy-{n}: dev.loss 0.") for n, line in enumerate(lines))
    assert run(tmp_path, runner) == []
    assert len(runner.ran) == 5


def test_a_killed_search_goes_on_with_the_same_values(tmp_path: Path) -> None:
    whole, first, second = Pretending(), Pretending(kill_in="tune-toy-2"), Pretending()
    run(tmp_path / "whole", whole)
    with pytest.raises(Killed):
        run(tmp_path / "killed", first)
    run(tmp_path / "killed", second)
    assert first.ran[-1] == second.ran[0]
    assert first.ran[:-1] + second.ran == whole.ran


def test_proposals_follow_the_seed(tmp_path: Path) -> None:
    runners = [Pretending(), Pretending(), Pretending()]
    run(tmp_path / "a", runners[0])
    run(tmp_path / "b", runners[1])
    run(tmp_path / "c", runners[2], plan(seed=8))
    assert runners[0].ran == runners[1].ran
    assert runners[0].ran != runners[2].ran
    assert len({str(values) for _, values in runners[0].ran}) == 5


def test_more_trials_may_be_asked_for_later(tmp_path: Path) -> None:
    runner = Pretending()
    run(tmp_path, runner)
    run(tmp_path, runner, plan(trials=6))
    assert [name for name, _ in runner.ran] == [f"tune-toy-{number}" for number in range(6)]


def test_another_plan_of_the_same_name_is_refused(tmp_path: Path) -> None:
    run(tmp_path, Pretending())
    with pytest.raises(ConfigError, match="begun with another direction, seed; only `trials` may"):
        open_study(tmp_path, plan(seed=8, direction="maximize"), "c0ffee")


def test_another_commit_is_refused(tmp_path: Path) -> None:
    run(tmp_path, Pretending())
    with pytest.raises(ConfigError, match="begun at commit c0ffee, but decade is checked out"):
        open_study(tmp_path, plan(), "decade")


def test_a_trial_that_could_not_start_is_still_to_be_run(tmp_path: Path) -> None:
    stopped, second = Pretending(refuse_in="tune-toy-1"), Pretending()
    with pytest.raises(ConfigError, match="not committed"):
        run(tmp_path, stopped)
    run(tmp_path, second)
    assert stopped.ran[-1] == second.ran[0]
    assert [name for name, _ in second.ran] == [f"tune-toy-{number}" for number in range(1, 5)]


@pytest.mark.parametrize(
    ("pruner", "epochs"),
    [
        ({"kind": "median", "startup_trials": 2, "warmup_epochs": 1}, 2),
        ({"kind": "successive_halving", "min_epochs": 1, "reduction_factor": 2}, 1),
    ],
)
def test_a_trial_that_is_worse_is_pruned(
    tmp_path: Path, pruner: dict[str, Any], epochs: int
) -> None:
    runner = Pretending(epochs=3, worse_from=3)
    lines = run(tmp_path, runner, plan(pruner=pruner))
    assert [": pruned;" in line for line in lines] == [False, False, False, True, True]
    chosen = plan(pruner=pruner)
    study = open_study(tmp_path, chosen, "c0ffee")
    assert [len(trial.intermediate_values) for trial in study.trials] == [3, 3, 3, epochs, epochs]
    told = conclude(study, chosen, tmp_path)
    assert "3 finished, 2 pruned" in told
    assert "tune-toy-3 " not in told


def test_failed_trials_are_kept_and_do_not_end_the_search(tmp_path: Path) -> None:
    runner = Pretending(fail_in=("tune-toy-1", "tune-toy-3"))
    lines = run(tmp_path, runner)
    assert "tune-toy-1: failed, the loss is nan; finetune" in lines[1]
    assert len(lines) == 5
    study = open_study(tmp_path, plan(), "c0ffee")
    assert "5 of 5 trials ended (3 finished, 2 failed)" in conclude(study, plan(), tmp_path)
    assert "tune-toy-1,failed," in (tmp_path / "trials.csv").read_text()


def test_failures_in_a_row_end_the_search(tmp_path: Path) -> None:
    runner = Pretending(fail_in=tuple(f"tune-toy-{number}" for number in range(5)))
    with pytest.raises(ContractError, match="3 trials in a row failed"):
        run(tmp_path, runner)
    assert len(runner.ran) == 3


def test_two_searches_at_once_are_refused(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from fuseline.workbench.tuning.study import locked\n"
        "with locked(Path(sys.argv[1])): pass"
    )
    with locked(tmp_path):
        second = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "another `fuseline tune` is at work here" in second.stderr
    with locked(tmp_path):
        pass


def test_the_end_names_the_best_and_writes_the_same_bytes(tmp_path: Path) -> None:
    chosen = plan(trials=9)
    texts, files = [], []
    for name in ("a", "b"):
        run(tmp_path / name, Pretending(), chosen)
        study = open_study(tmp_path / name, chosen, "c0ffee")
        texts.append(conclude(study, chosen, tmp_path / name).replace(name + "/", ""))
        files.append(
            [(tmp_path / name / file).read_bytes() for file in ("summary.svg", "trials.csv")]
        )
        best = study.best_trial.number
    assert texts[0] == texts[1]
    assert files[0] == files[1]
    assert f"dvc exp apply tune-toy-{best}, then dvc repro" in texts[0]
    assert "what it depended on: finetune.training.num_epochs" in texts[0]
    assert files[0][0].startswith(b"<svg")


def test_a_metric_that_never_varies_depends_on_nothing(tmp_path: Path) -> None:
    chosen = plan(trials=8)
    run(tmp_path, Pretending(same=True), chosen)
    told = conclude(open_study(tmp_path, chosen, "c0ffee"), chosen, tmp_path)
    assert "8 finished" in told
    assert "depended" not in told
    assert (tmp_path / "summary.svg").exists()


def test_nothing_finished_has_no_table(tmp_path: Path) -> None:
    study = open_study(tmp_path, plan(), "c0ffee")
    assert conclude(study, plan(), tmp_path) == "study toy: 0 of 5 trials ended"
    assert not (tmp_path / "trials.csv").exists()
