"""Runs of a stage that are killed at a random moment and repeated until they are done."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from fuseline.pipeline.stage import LOCK_FILE
from tests.support.workspace import Workspace, wait_for

OUTPUTS = {
    "pretrain": ["models/pretrained", "metrics/pretrain.json", "metrics/history/pretrain.csv"],
    "finetune": ["models/finetuned", "metrics/finetune.json", "metrics/history/finetune.csv"],
    "adversarial_finetune": [
        "models/adversarial",
        "metrics/adversarial_finetune.json",
        "metrics/history/adversarial_finetune.csv",
    ],
    "prompt": ["metrics/prompt.json", "metrics/curves/prompt.csv"],
}
# Enough steps for a kill to land among them.
LONGER = {
    f"{stage}.training.{key}": value
    for stage in ("pretrain", "finetune", "adversarial_finetune")
    for key, value in {
        "num_epochs": 5,
        "early_stopping_patience": 5,
        "batch_size": 4,
    }.items()
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Without the run cache, which would give back what the uninterrupted run wrote.
COMMAND = ("dvc", "repro", "--single-item", "--force", "--no-run-cache")
# Steps, or cells of prompts, that are done, and how many there are.
PROGRESS = re.compile(r"(\d+)/(\d+) \[")
DEADLINE_SECONDS = 600.0


@dataclass(frozen=True)
class Kill:
    """When, how and whom. `moment` is a share of all steps, or of the seconds that the stage takes
    where `by_time`; `whole_group` means `dvc` too."""

    stage: str
    number: signal.Signals
    whole_group: bool
    by_time: bool
    moment: float

    @classmethod
    def draw(cls, draws: random.Random, stage: str) -> Kill:
        """Three of four at a step, so that most land in training."""
        return cls(
            stage,
            draws.choice(SIGNALS),
            draws.random() < 0.5,
            draws.random() < 0.25,
            draws.random(),
        )


@dataclass(frozen=True)
class Outcome:
    """What came of a kill.

    Attributes:
        hit: whether the stage was still at work.
        identical: whether the outputs of the repeated run are those of an uninterrupted one.
        step: the last step done when the signal was sent, 0 before training.
        lost: share of all steps that the repeated run had to do again.
        traceback: whether the stage printed one.
        lock_broken: whether the kill hit `dvc` as it wrote `dvc.lock`.
    """

    hit: bool
    identical: bool
    step: int
    lost: float
    traceback: bool
    lock_broken: bool


def uninterrupted(workspace: Workspace, stages: list[str]) -> dict[str, float]:
    """Run stages one after the other with longer training; the seconds that each took."""
    workspace.set_params(LONGER)
    seconds = {}
    for stage in stages:
        started = time.monotonic()
        result = workspace.run(*COMMAND, stage)
        assert result.returncode == 0, result.stdout
        seconds[stage] = time.monotonic() - started
    return seconds


def kill_and_repeat(workspace: Workspace, kill: Kill, seconds: float) -> Outcome:
    """Run a stage that is done already, kill it, run it again to its end, and compare.

    Args:
        workspace: after `uninterrupted`, or after another kill.
        kill: what to do to the first run.
        seconds: what the stage takes.
    """
    expected = workspace.hashes(OUTPUTS[kill.stage])
    lock = (workspace.root / LOCK_FILE).read_bytes()
    with tempfile.NamedTemporaryFile() as log:
        said = Path(log.name)
        process = subprocess.Popen(
            [*COMMAND, kill.stage],
            cwd=workspace.root,
            env=workspace.environment | {"TQDM_MININTERVAL": "0"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _wait_for_moment(process, kill, said, seconds)
        step, steps = _progress(said)
        hit = _send(process, kill)
        process.wait(DEADLINE_SECONDS)
        output = said.read_text(errors="replace")
    kept = max((step_of(path) for path in _whole_checkpoints(workspace, kill.stage)), default=0)
    _, _, by_stage = output.partition("> python -m")
    hit = hit and process.returncode != 0
    lock_broken = _mend_lock(workspace, lock)
    again = workspace.run(*COMMAND, kill.stage)
    assert again.returncode == 0, again.stdout
    return Outcome(
        hit=hit,
        identical=workspace.hashes(OUTPUTS[kill.stage]) == expected,
        step=step,
        lost=max(0, step - kept) / steps if hit and steps and kill.stage != "prompt" else 0.0,
        traceback="Traceback" in by_stage,
        lock_broken=lock_broken,
    )


def _mend_lock(workspace: Workspace, before: bytes) -> bool:
    """Put `dvc.lock` back if it was cut short, as `git checkout dvc.lock` would, and say whether it
    was: DVC writes it in place. A whole one is what it was, for the outputs are the same."""
    file = workspace.root / LOCK_FILE
    broken = file.read_bytes() != before
    if broken:
        file.write_bytes(before)
    return broken


def _wait_for_moment(
    process: subprocess.Popen[bytes], kill: Kill, said: Path, seconds: float
) -> None:
    started = time.monotonic()

    def due() -> bool:
        if process.poll() is not None:
            return True
        if kill.by_time:
            return time.monotonic() - started >= kill.moment * seconds
        step, steps = _progress(said)
        return bool(steps) and step >= round(kill.moment * steps)

    assert wait_for(due, DEADLINE_SECONDS), said.read_text(errors="replace")


def _progress(said: Path) -> tuple[int, int]:
    found = PROGRESS.findall(said.read_text(errors="replace"))
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)


def _send(process: subprocess.Popen[bytes], kill: Kill) -> bool:
    """Send the signal; where the stage alone is meant and has not begun, to all. Whether anything
    was there to get it; afterwards nothing is left running."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
        stage = [one for one in below if "stages." in " ".join(one.cmdline()[:3])]
        stage = [one for one in stage if one.name().startswith("python")]
        if stage and not kill.whole_group:
            stage[0].send_signal(kill.number)
        else:
            os.killpg(process.pid, kill.number)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False
    psutil.wait_procs(below, DEADLINE_SECONDS)
    return True


def _whole_checkpoints(workspace: Workspace, stage: str) -> list[Path]:
    return list(workspace.root.glob(f".checkpoints/{stage}/*/checkpoint-*/complete.json"))


def step_of(marker: Path) -> int:
    return int(marker.parent.name.removeprefix("checkpoint-"))
