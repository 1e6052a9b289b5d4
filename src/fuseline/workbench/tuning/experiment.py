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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from fuseline.errors import ConfigError
from fuseline.learning.training.progress import progress_since
from fuseline.params.whole import set_keys
from fuseline.pipeline.lock_file import leaves
from fuseline.pipeline.revisions import Revision, experiment
from fuseline.pipeline.stage import FINISHED, LOCK_FILE, WORK_FOLDER
from fuseline.workbench.tuning.committed import check_committed
from fuseline.workbench.tuning.plan import Plan
from fuseline.workbench.tuning.study import Failed, Finished, Outcome, Pruned, Watch

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
        plan_file: where the plan stands; it alone may differ from the commit.
    """

    root: Path
    plan: Plan
    baseline: str
    logs: Path
    plan_file: Path

    def run(self, name: str, values: Mapping[str, Any], watch: Watch) -> Outcome:
        """Run the experiment, or take the figures of one that is there.

        Raises:
            ConfigError: the experiment that is there has other params, or the working tree is not
                the baseline any more; the trial is then still to be run.
        """
        check_committed(self.root, self.baseline, self.plan_file)
        if (before := experiment(self.root, name, self.baseline)) is not None:
            self._check_params(before, values)
            # The search may have ended before it could do so.
            self._remove_recorded(before)
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
        # Whether it succeeded or failed, it is not run again.
        self._remove_checkpoints(began)
        found = experiment(self.root, name, self.baseline)
        if process.returncode == 0 and found is not None:
            self._remove_recorded(found)
            return self._outcome(found)
        return Failed(_last_words(log, self.plan.stage))

    def _start(
        self, name: str, values: Mapping[str, Any], output: TextIO
    ) -> subprocess.Popen[bytes]:
        settings = [part for key, value in values.items() for part in ("-S", setting(key, value))]
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
        """Of the trial that began then."""
        if (progress := progress_since(self._checkpoints, began)) is not None:
            shutil.rmtree(progress.work, ignore_errors=True)

    def _remove_recorded(self, found: Revision) -> None:
        """What a trial's last stage finished: only a later stage would remove it, and not at once,
        as the experiment's lock file is in no working tree."""
        lock = (found.read(LOCK_FILE.name) or b"").decode()
        for marker in (self.root / WORK_FOLDER).glob(f"*/*/{FINISHED}"):
            with suppress(OSError, ValueError):
                if all(value in lock for value in json.loads(marker.read_text(encoding="utf-8"))):
                    shutil.rmtree(marker.parent, ignore_errors=True)

    def _outcome(self, found: Revision) -> Outcome:
        value = _figure(found, self.plan)
        history = found.read(f"metrics/history/{self.plan.stage}.csv") or b""
        return Finished(value, _by_epoch(history.decode(), self.plan.epoch_figure))

    def _check_params(self, found: Revision, values: Mapping[str, Any]) -> None:
        """An experiment of this name may be left from another study of the same name."""
        expected = Revision(self.root, self.baseline, self.baseline).read_yaml("params.yaml")
        set_keys(expected, values)
        theirs, ours = dict(leaves(found.read_yaml("params.yaml"))), dict(leaves(expected))
        for key in sorted(theirs.keys() | ours.keys()):
            one, other = theirs.get(key, "(none)"), ours.get(key, "(none)")
            if one != other:
                raise ConfigError(
                    f"experiment '{found.name}' is there already, with {key} {one} where this study"
                    f" has {other}. Remove it by `dvc exp remove {found.name}`, or give `study`"
                    " another name."
                )


def setting(key: str, value: Any) -> str:
    """How `dvc exp run -S` is told a value."""
    return f"{key}={json.dumps(value)}"


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


def _figure(found: Revision, plan: Plan) -> float:
    """The metric of an experiment; raises ConfigError where it has none."""
    figures = {
        key: float(value)
        for key, value in leaves(found.read_metrics(plan.metrics_file))
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    if plan.metric_key in figures:
        return figures[plan.metric_key]
    section = f"{plan.metric_key.partition('.')[0]}."
    known = [key for key in figures if key.startswith(section)] or list(figures)
    raise ConfigError(
        f"{found.name}: {plan.metrics_file}: has no figure '{plan.metric_key}'. It has:"
        f" {', '.join(sorted(known)) or 'none'}."
    )


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
