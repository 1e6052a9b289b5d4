"""What a trial takes from experiments that are there, and when it does not begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from fuseline.errors import ConfigError
from fuseline.pipeline.metrics_file import write_metrics
from fuseline.pipeline.stage import FINISHED
from fuseline.workbench.tuning.committed import check_committed
from fuseline.workbench.tuning.experiment import DvcRunner
from fuseline.workbench.tuning.plan import Plan
from fuseline.workbench.tuning.study import FOLDER, Finished, Outcome, locked
from tests.support.compared_repositories import Repository
from tests.unit.workbench.tuning.test_study import PLAN

RATE, EPOCHS = "finetune.training.learning_rate", "finetune.training.num_epochs"
PARAMS: dict[str, Any] = {
    "base": {"seed": 1},
    "finetune": {"training": {"learning_rate": 0.1, "num_epochs": 2}},
}
RECORDED = "1f2e3d"
VALUES = {RATE: 1e-05}
PRETRAINED = {
    "best_epoch": 2,
    "loss": 2.5,
    "objectives": {"itm": {"loss": 0.75, "accuracy": 0.5}, "mlm": {"loss": 7.5}},
}
HISTORY = """epoch,split,metric,value
1,dev,itm_loss,0.875
1,train,itm_loss,0.5
2,dev,itm_loss,0.75
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "repository")
    (made.root / ".gitignore").write_text("/.checkpoints\n/.tune\n")
    (made.root / "tune.yaml").write_text("study: toy\n")
    (made.root / FOLDER).mkdir()
    YAML().dump(PARAMS, made.root / "params.yaml")
    made.tag("baseline")
    return made


def runner(repository: Repository, key: str = "objectives.itm.loss") -> DvcRunner:
    plan = Plan.model_validate(PLAN | {"metric": f"metrics/pretrain.json:{key}"})
    root = repository.root
    return DvcRunner(
        root, plan, repository.git("rev-parse", "baseline"), root / FOLDER, root / "tune.yaml"
    )


def finished_before(repository: Repository, **changes: Any) -> None:
    """The experiment `t`, as DVC keeps it."""
    repository.git("checkout", "--quiet", "--detach")
    training = {"learning_rate": VALUES[RATE], "num_epochs": 2} | changes
    YAML().dump(PARAMS | {"finetune": {"training": training}}, repository.root / "params.yaml")
    # As `stages/pretrain.py` writes it: all but the loss under `details`.
    write_metrics(repository.root / "metrics/pretrain.json", PRETRAINED, headline=["loss"])
    history = repository.root / "metrics/history/pretrain.csv"
    history.parent.mkdir()
    history.write_text(HISTORY)
    (repository.root / "dvc.lock").write_text(f"stages: {{pretrain: {{md5: {RECORDED}}}}}\n")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "t")
    sha = repository.git("rev-parse", "baseline")
    repository.git("update-ref", f"refs/exps/{sha[:2]}/{sha[2:]}/t", "HEAD")
    repository.git("checkout", "--quiet", "main")


def run(chosen: DvcRunner) -> Outcome:
    return chosen.run("t", VALUES, lambda _epoch, _value: False)


@pytest.mark.parametrize(
    ("key", "outcome"),
    [
        ("objectives.itm.loss", Finished(0.75, {1: 0.875, 2: 0.75})),
        ("objectives.itm.accuracy", Finished(0.5)),
        ("loss", Finished(2.5)),
    ],
)
def test_figures_among_the_details_are_found(
    repository: Repository, key: str, outcome: Outcome
) -> None:
    finished_before(repository)
    assert run(runner(repository, key)) == outcome


def test_a_missing_figure_lists_those_beside_it(repository: Repository) -> None:
    finished_before(repository)
    with pytest.raises(ConfigError) as found:
        run(runner(repository, "objectives.nsp.loss"))
    assert str(found.value) == (
        "t: metrics/pretrain.json: has no figure 'objectives.nsp.loss'. It has:"
        " objectives.itm.accuracy, objectives.itm.loss, objectives.mlm.loss."
    )


def test_what_is_left_of_a_recorded_trial_is_removed(repository: Repository) -> None:
    finished_before(repository)
    family = repository.root / ".checkpoints/pretrain"
    for name in ("recorded", "other", "torn", "interrupted"):
        (family / name / "checkpoint-8").mkdir(parents=True)
    (family / "recorded" / FINISHED).write_text(f'["{RECORDED}"]')
    (family / "other" / FINISHED).write_text(f'["{RECORDED}", "c0ffee"]')
    (family / "torn" / FINISHED).write_text("[")
    run(runner(repository))
    assert {path.name for path in family.iterdir()} == {"other", "torn", "interrupted"}


def test_a_trial_that_succeeds_leaves_no_weights(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a `dvc` that only finishes the stage's work and names a commit as DVC would."""
    finished_before(repository)
    ref = repository.git("for-each-ref", "--format=%(refname)", "refs/exps")
    commit = repository.git("rev-parse", ref)
    repository.git("update-ref", "-d", ref)
    work, marker = ".checkpoints/pretrain/its/checkpoint-8", f'["{RECORDED}"]'
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc/__init__.py").touch()
    (tmp_path / "dvc/__main__.py").write_text(
        "import subprocess, pathlib\n"
        f"pathlib.Path({work!r}).mkdir(parents=True)\n"
        f"pathlib.Path({work!r}).with_name({FINISHED!r}).write_text({marker!r})\n"
        f"subprocess.run(['git', 'update-ref', {ref!r}, {commit!r}], check=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    assert isinstance(run(runner(repository)), Finished)
    assert list((repository.root / ".checkpoints/pretrain").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_epochs": 3}, f"{EPOCHS} 3 where this study has 2"),
        ({"learning_rate": 2e-05}, f"{RATE} 2e-05 where this study has 1e-05"),
        ({"batch_size": 3}, "batch_size 3 where this study has \\(none\\)"),
    ],
)
def test_an_experiment_with_any_other_params_is_refused(
    repository: Repository, changes: dict[str, Any], message: str
) -> None:
    finished_before(repository, **changes)
    with pytest.raises(ConfigError, match=f"{message}.*`dvc exp remove t`"):
        run(runner(repository))


@pytest.mark.parametrize(
    "name", ["params.yaml", "src/new.py", "data/raw/more.csv", "data/raw/h\u00e9.csv"]
)
def test_a_trial_does_not_begin_with_a_changed_tree(repository: Repository, name: str) -> None:
    path = repository.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("base: {seed: 2}\n")
    with pytest.raises(ConfigError, match=f"not committed: {name}. Trials run the last commit"):
        run(runner(repository))


def test_a_trial_does_not_begin_at_another_commit(repository: Repository) -> None:
    chosen = runner(repository)
    repository.tag("later")
    with pytest.raises(ConfigError, match=f"the study began at {chosen.baseline[:10]}. Check"):
        run(chosen)


def test_the_plan_and_files_that_no_trial_reads_may_differ(repository: Repository) -> None:
    plan = repository.root / "tune.yaml"
    plan.write_text("study: toy\ntrials: 9\n")
    (repository.root / "notes.txt").write_text("new")
    check_committed(repository.root, repository.git("rev-parse", "HEAD"), plan)


def test_a_second_search_is_told_of_the_first(repository: Repository) -> None:
    """Not of the tree, which DVC changes for a moment while the first one starts a trial."""
    YAML().dump(PLAN, repository.root / "tune.yaml")
    (repository.root / "params.yaml").write_text("base: {seed: 2}\n")
    script = (
        "import sys; from pathlib import Path; from fuseline.workbench.tuning.run import tune\n"
        "tune(Path(sys.argv[1]) / 'tune.yaml', Path(sys.argv[1]), print)"
    )
    with locked(repository.root / FOLDER):
        second = subprocess.run(
            [sys.executable, "-c", script, str(repository.root)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "another `fuseline tune` is at work here" in second.stderr
