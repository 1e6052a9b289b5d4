"""One trial as a DVC experiment, in a copy of the last commit: the working tree stays as it is."""

from __future__ import annotations

import csv
import ctypes
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from fuseline.errors import ConfigError
from fuseline.revisions import Revision, experiment
from fuseline.stage import WORK_FOLDER, leaf
from fuseline.training.progress import progress_since
from fuseline.tuning.plan import Plan
from fuseline.tuning.study import Failed, Finished, Outcome, Pruned, Watch

# Where DVC keeps the copies that experiments run in, and what it knows of them.
COPIES = Path(".dvc/tmp/exps")
POLL_SECONDS = 0.5
GRACE_SECONDS = 30.0
_LIBC = ctypes.CDLL(None)
_SET_PARENT_DEATH_SIGNAL = 1


@dataclass(frozen=True)
class DvcRunner:
    """Runs trials with `dvc exp run --temp`.

    Attributes:
        root: the repository's folder.
        plan: names the stage and the metric.
        baseline: the commit that is checked out.
        logs: folder for what trials print.
    """

    root: Path
    plan: Plan
    baseline: str
    logs: Path

    def run(self, name: str, values: Mapping[str, Any], watch: Watch) -> Outcome:
        """Run the experiment, or take the figures of one that is there.

        Raises:
            ConfigError: the experiment that is there has other params.
        """
        if (before := experiment(self.root, name, self.baseline)) is not None:
            self._check_values(before, values)
            return self._outcome(before)
        remove_copy(self.root, name)
        log = self.logs / f"{name}.log"
        with log.open("w", encoding="utf-8") as output:
            began = time.time_ns()
            process = self._start(name, values, output)
            try:
                pruned = self._wait(process, began, watch)
            finally:
                stop(process)
                remove_copy(self.root, name)
        if pruned:
            return Pruned()
        found = experiment(self.root, name, self.baseline)
        if process.returncode == 0 and found is not None:
            return self._outcome(found)
        self._remove_checkpoints(began)
        return Failed(_last_words(log, self.plan.stage))

    def _start(
        self, name: str, values: Mapping[str, Any], output: TextIO
    ) -> subprocess.Popen[bytes]:
        settings = [
            part for key, value in values.items() for part in ("-S", f"{key}={json.dumps(value)}")
        ]
        command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name]
        return subprocess.Popen(
            [*command, *settings, self.plan.stage],
            cwd=self.root,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A Ctrl-C at the terminal is for the search alone, which then ends the trial.
            start_new_session=True,
            preexec_fn=_end_with_search,  # noqa: PLW1509 (calls libc alone)
        )

    def _wait(self, process: subprocess.Popen[bytes], began: int, watch: Watch) -> bool:
        """Until the trial has ended; whether it was pruned."""
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            progress = progress_since(self._checkpoints, began)
            if progress is None:
                continue
            for epoch, figures in sorted(progress.epochs.items()):
                if self.plan.epoch_figure not in figures:
                    continue
                if watch(epoch, figures[self.plan.epoch_figure]):
                    stop(process)
                    shutil.rmtree(progress.work, ignore_errors=True)
                    return process.returncode != 0
        return False

    @property
    def _checkpoints(self) -> Path:
        return self.root / WORK_FOLDER / self.plan.stage

    def _remove_checkpoints(self, began: int) -> None:
        """Of a trial that failed: it is not run again."""
        if (progress := progress_since(self._checkpoints, began)) is not None:
            shutil.rmtree(progress.work, ignore_errors=True)

    def _outcome(self, found: Revision) -> Outcome:
        metrics = found.read_json(self.plan.metrics_file)
        try:
            value = leaf(metrics, self.plan.metric_key)
        except (KeyError, TypeError):
            figures = metrics.get("dev", {}) if isinstance(metrics, dict) else {}
            raise ConfigError(
                f"{self.plan.metrics_file}: has no figure '{self.plan.metric_key}'. Under dev:"
                f" {', '.join(sorted(figures)) or 'none'}."
            ) from None
        history = found.read(f"metrics/history/{self.plan.stage}.csv") or ""
        return Finished(float(value), _by_epoch(history, self.plan.epoch_figure))

    def _check_values(self, found: Revision, values: Mapping[str, Any]) -> None:
        params = found.read_yaml("params.yaml")
        for key, value in values.items():
            if leaf(params, key) != value:
                raise ConfigError(
                    f"experiment '{found.name}' is there already, with {key} {leaf(params, key)}"
                    f" where this study proposes {value}. Remove it by `dvc exp remove"
                    f" {found.name}`, or give `study` another name."
                )


def stages_read(root: Path, stage: str) -> list[str]:
    """Sections and keys of `params.yaml` that a stage and those before it read.

    Raises:
        ConfigError: DVC does not know the stage, or cannot read `dvc.yaml`.
    """
    from dvc.dependency.param import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            stages = repo.stage.collect(stage, with_deps=True)
    except DvcException as error:
        raise ConfigError(f"dvc.yaml: {error}") from None
    return sorted(
        {
            key
            for one in stages
            for dependency in one.deps
            if isinstance(dependency, ParamsDependency)
            and Path(dependency.fs_path).name == "params.yaml"
            for key in dependency.params
        }
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a trial and all that it started.

    Interrupted as by Ctrl-C, DVC removes the trial's copy of the repository; told to terminate, it
    would leave it.
    """
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE_SECONDS)
        except ProcessLookupError:
            process.wait()
        except subprocess.TimeoutExpired:
            continue


def remove_copy(root: Path, name: str) -> None:
    """Remove what a killed DVC left of an experiment, which it would show as running for ever."""
    copies = (root / COPIES).resolve()
    for record in copies.glob("run/*/*.run"):
        try:
            known = json.loads(record.read_text(encoding="utf-8"))
            copy = Path(known["root_dir"]).resolve()
        except (OSError, ValueError, KeyError):
            continue
        if known.get("name") == name and copy.is_relative_to(copies):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.rmtree(record.parent, ignore_errors=True)


def _environment() -> dict[str, str]:
    """Stages run as `python`, which shall be this one."""
    own = str(Path(sys.executable).parent)
    return os.environ | {"PATH": f"{own}{os.pathsep}{os.environ.get('PATH', '')}"}


def _end_with_search() -> None:
    """In the new process: it ends with the search, even one that is killed, and hears SIGINT, which
    a search in the background may have been told to ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _by_epoch(history: str, figure: str) -> dict[int, float]:
    return {
        int(row["epoch"]): float(row["value"])
        for row in csv.DictReader(io.StringIO(history))
        if row["split"] == "dev" and row["metric"] == figure
    }


def _last_words(log: Path, stage: str) -> str:
    """What the stage said was wrong, else the last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines()]
    said = [line for line in lines if line.startswith(f"{stage}: ")] or list(filter(None, lines))
    return f"{said[-1] if said else 'without a word'} (see {log})"
