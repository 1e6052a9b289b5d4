"""Killed, orphaned, doubled and misconfigured runs: what is whole stays whole."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import psutil
import pytest
from ruamel.yaml import YAML

from fuseline.pipeline.stage import FINISHED
from tests.support.declared_stages import DeclaredStage
from tests.support.killing import (
    LONGER,
    OUTPUTS,
    PROGRESS,
    Kill,
    kill_and_repeat,
    step_of,
    uninterrupted,
)
from tests.support.workspace import Workspace, kill_group, wait_for

FINETUNED = OUTPUTS["finetune"]


def whole_checkpoints(workspace: Workspace) -> list[Path]:
    """Those of runs that have not finished."""
    found = workspace.root.glob(".checkpoints/finetune/*/checkpoint-*/complete.json")
    return [path for path in found if not (path.parents[1] / FINISHED).exists()]


def is_locked(path: Path) -> bool:
    """Whether a running stage holds the lock."""
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


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
        lock = workspace.root / ".checkpoints/finetune/lock"
        assert wait_for(lambda: is_locked(lock), seconds=60)
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
    assert wait_for(lambda: not running.stage.is_running(), seconds=5)


def test_a_second_run_of_a_stage_says_so_and_stops(
    running: RunningStage, stages: dict[str, DeclaredStage]
) -> None:
    second = running.workspace.run(*shlex.split(stages["finetune"].command))
    assert second.returncode == 1
    assert "another run of stage 'finetune' is at work here" in second.stdout
    assert "Traceback" not in second.stdout
    assert running.stage.is_running()


@pytest.fixture(scope="module")
def trained(
    finished: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, float]:
    """A workspace after a longer fine-tuning without interruption, and the seconds that it took."""
    workspace = finished.copy(tmp_path_factory.mktemp("trained") / "workspace")
    return workspace, uninterrupted(workspace, ["finetune"])["finetune"]


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    trained: tuple[Workspace, float],
) -> None:
    """Further signals, and another stage: `test_benchmarks`."""
    workspace, seconds = trained
    lock = workspace.lock
    kill = Kill("finetune", signal.SIGTERM, whole_group=False, by_time=False, moment=0.5)
    outcome = kill_and_repeat(workspace, kill, seconds)
    assert outcome.hit
    assert outcome.identical
    assert not outcome.traceback
    assert outcome.step > 0
    assert outcome.lost <= 0.1
    assert workspace.lock == lock
    assert whole_checkpoints(workspace) == []


def first_step(workspace: Workspace, command: str) -> int:
    """Start a stage without `dvc`, kill it, and return the first step that was seen done."""
    process = workspace.start(*shlex.split(command))
    try:
        assert process.stdout is not None
        for line in iter(process.stdout.readline, ""):
            steps = [int(step) for step, _ in PROGRESS.findall(line)]
            if any(steps):
                return max(steps)
    finally:
        kill_group(process)
    raise AssertionError("the stage ended before a step was seen")


@pytest.fixture(scope="module")
def stopped(
    finished: Workspace, stages: dict[str, DeclaredStage], tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """A workspace in which fine-tuning was killed when it had two checkpoints."""
    workspace = finished.copy(tmp_path_factory.mktemp("stopped") / "workspace")
    workspace.set_params(LONGER)
    process = workspace.start(*shlex.split(stages["finetune"].command))
    assert wait_for(lambda: len(whole_checkpoints(workspace)) == 2, seconds=60)
    kill_group(process)
    return workspace


def change_nothing(workspace: Workspace) -> None:
    del workspace


def change_params(workspace: Workspace) -> None:
    workspace.set_params({"finetune.label_smoothing": 0.15})


def change_code(workspace: Workspace) -> None:
    with (workspace.root / "src/fuseline/learning/training/finetune.py").open("a") as module:
        module.write("\nCHANGED = True\n")
    assert workspace.repro("code") == ["code"]


def change_inputs(workspace: Workspace) -> None:
    with (workspace.root / "models/pretrained/README.md").open("a") as card:
        card.write("Changed.")


@pytest.mark.parametrize(
    "change, goes_on",
    [(change_nothing, True), (change_params, False), (change_code, False), (change_inputs, False)],
)
def test_a_checkpoint_of_other_params_code_or_inputs_is_never_used(
    stopped: Workspace,
    stages: dict[str, DeclaredStage],
    tmp_path: Path,
    change: Callable[[Workspace], None],
    goes_on: bool,
) -> None:
    newest = max(step_of(path) for path in whole_checkpoints(stopped))
    workspace = stopped.copy(tmp_path / "workspace")
    change(workspace)
    assert (first_step(workspace, stages["finetune"].command) > newest) == goes_on


def test_a_full_disk_is_one_message_and_changes_no_output(
    trained: tuple[Workspace, float], stages: dict[str, DeclaredStage]
) -> None:
    """No file may grow beyond 64 KiB, which a checkpoint is the first to do."""
    workspace, _ = trained
    expected = workspace.hashes(FINETUNED)
    result = workspace.run("bash", "-c", f"ulimit -f 64; {stages['finetune'].command}")
    assert result.returncode == 1
    assert "Traceback" not in result.stdout
    (message,) = re.findall(r"^finetune: (.*)$", result.stdout, re.MULTILINE)
    assert "state.pt: File too large. Free some space where the stage writes" in message
    assert whole_checkpoints(workspace) == []
    assert list(workspace.root.rglob("*.partial")) == []
    assert workspace.hashes(FINETUNED) == expected


@pytest.fixture
def committed(workspace: Workspace) -> Iterator[Workspace]:
    """A workspace whose state is committed, as experiments need it; its queue ends with the test.

    `dvc queue stop` would leave the queue unable to start again.
    """
    assert workspace.run("git", "add", "--all").returncode == 0
    assert workspace.run("git", "commit", "--quiet", "--message", "state").returncode == 0
    yield workspace
    for process in psutil.process_iter():
        if "queue-worker" in command_of(process) and is_at(process, workspace.root):
            os.killpg(os.getpgid(process.pid), signal.SIGKILL)


def command_of(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def is_at(process: psutil.Process, root: Path) -> bool:
    with suppress(psutil.Error):
        return Path(process.cwd()).is_relative_to(root)
    return False


def queue_longer_training(workspace: Workspace) -> None:
    changes = [word for key, value in LONGER.items() for word in ("-S", f"{key}={value}")]
    queue = ("dvc", "exp", "run", "--queue", "--single-item", *changes, "finetune")
    assert workspace.run(*queue).returncode == 0
    # The worker keeps the pipe of the command that starts it: its end is not waited for.
    assert workspace.start("dvc", "queue", "start").wait(60) == 0


def test_a_queued_experiment_goes_on_when_it_is_queued_again(
    committed: Workspace, trained: tuple[Workspace, float]
) -> None:
    """Its stage ends with the `dvc` that runs the experiment, which lies below the queue's."""
    queue_longer_training(committed)
    assert wait_for(lambda: whole_checkpoints(committed), seconds=120)
    (stage,) = (
        process
        for process in psutil.process_iter()
        if "stages.finetune" in command_of(process)
        and process.name().startswith("python")
        and is_at(process, committed.root)
    )
    (runner,) = (one for one in stage.parents() if "exec-run" in command_of(one))
    runner.kill()
    assert wait_for(lambda: not stage.is_running(), seconds=5)
    kept = {path: path.read_text() for path in whole_checkpoints(committed)}
    assert kept

    queue_longer_training(committed)

    def result() -> str:
        """The experiment's reference; others are of the queue and of failed ones."""
        names = committed.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout
        return "".join(re.findall(r"^refs/exps/[0-9a-f]{2}/\S+$", names, re.MULTILINE))

    assert wait_for(result, seconds=120)
    assert not whole_checkpoints(committed)
    lock = committed.run("git", "show", f"{result()}:dvc.lock").stdout
    assert made_by_finetune(lock) == made_by_finetune(trained[0].lock)
    said = committed.run("dvc", "queue", "logs", result().rpartition("/")[2]).stdout
    # Of training alone: other bars bear a name in front. A bar begins at 0 even where it goes on.
    shown = re.findall(r"(?:^|[\r\n])\s*\d+%\|[^|]*\| (\d+)/", said)
    begun = min(int(step) for step in shown if step != "0")
    assert begun >= min(step_of(path) for path in kept) > 0


def made_by_finetune(lock: str) -> list[dict[str, object]]:
    outs: list[dict[str, object]] = YAML(typ="safe").load(lock)["stages"]["finetune"]["outs"]
    return outs


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
