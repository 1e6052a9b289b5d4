"""What one of each amount of a stage's work takes: the slopes that `fuseline estimate` counts with.

The stages' own commands run one after the other on small repositories of different settings, on
one thread each, process start included. Of each stage the time of the processor, which other work
on the machine hardly moves, the memory of all its processes and the bytes on disk are taken, and
slopes are fitted to them that are nowhere below 0 (Lawson & Hanson 1974), by relative errors.
`--write` puts them where `fuseline estimate` reads them.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from scipy.optimize import nnls

from benchmarks.growth import processor_seconds
from benchmarks.slope_designs import CHECKS, CORES, DESIGNS, Design
from benchmarks.workspace import ROOT
from fuseline.config import read_yaml
from fuseline.pipeline import durations
from fuseline.pipeline.machine import available_cores
from fuseline.pipeline.stage import WORK_FOLDER
from fuseline.workbench.estimate.asked import Asked
from fuseline.workbench.estimate.calibration import Speed, calibrate
from fuseline.workbench.estimate.facts import ingested
from fuseline.workbench.estimate.slopes import PLACE, family, measured
from fuseline.workbench.estimate.work import Amounts, Work
from tests.support.declared_stages import DeclaredStage
from tests.support.first_run import begin, stages_in_order
from tests.support.workspace import SMALL_PARAMS, Workspace

# Of a finished repository: with its cache of features none would be computed.
LEFT_OUT = shutil.ignore_patterns(".dvc", ".git", ".feature_cache")
SAMPLED_EVERY_SECONDS, LOOKED_AT_SECONDS = 0.2, 90.0
# An evaluation comes to its largest batches, those of pictures, behind all others.
FEW_STEPS = {
    "evaluate.robustness.attack.num_steps": 1,
    "evaluate.robustness.num_restarts": 1,
    "evaluate.robustness.curve_restarts": 1,
    "evaluate.robustness.scales": [1.0, 8.0],
    "evaluate.robustness.audit.black_box_queries": 10,
}
MEGA = 1e6
# Of seconds and 10^6 bytes: below it, nobody minds by how much of themselves they are off.
LEAST = 1.0


@dataclass
class Taken:
    """What one run of a stage took: seconds of the processor, 10^6 bytes of memory and of disk."""

    seconds: float
    memory_mb: float
    disk_mb: float


@dataclass
class Observations:
    """Runs of the stages of one family: amounts of work beside what they took."""

    seconds: list[tuple[Amounts, float]] = field(default_factory=list)
    memory_mb: list[tuple[Amounts, float]] = field(default_factory=list)
    disk_mb: list[tuple[Amounts, float]] = field(default_factory=list)

    def slopes(self) -> dict[str, dict[str, float]]:
        """By figure and amount."""
        return {name: fitted(runs) for name, runs in vars(self).items()}

    def errors(self) -> dict[str, float]:
        """By figure the largest relative error of a run that all runs were fitted to."""
        return {
            name: max(
                abs(sum(of[k] * v for k, v in amounts.items()) - value) / max(value, LEAST)
                for amounts, value in getattr(self, name)
            )
            for name, of in self.slopes().items()
        }


def main(
    designs: Mapping[str, Design] = DESIGNS,
    place: Path | None = None,
    finished: Path | None = None,
) -> dict[str, Observations]:
    """Run every design, print what stages took and how far the fitted slopes miss it.

    Args:
        designs: by name.
        place: file to write the slopes to.
        finished: a repository after a whole run on this machine, whose seconds count too: what
            attacks cost hangs on how well a model has learnt, and the designs' learn little.
    """
    speed, found = calibrate(), dict[str, Observations]()
    for name, design in designs.items():
        with workspace(design) as root:
            for stage in stages_in_order()[: design.num_stages]:
                taken = run(root, stage)
                work = work_in(root)
                print(
                    f"{name:<12}{stage.cell:<26}{taken.seconds:>7.1f} s{taken.memory_mb:>8.0f} MB"
                    f"{taken.disk_mb:>8.1f} MB on disk; {estimated(work, stage.cell, speed)}",
                    flush=True,
                )
                note(found.setdefault(family(stage.cell), Observations()), work, stage.cell, taken)
    if finished:
        note_finished(found, finished)
    for name, runs in found.items():
        told = ", ".join(f"{figure} {error:.0%}" for figure, error in runs.errors().items())
        print(f"{name}: largest error of {len(runs.seconds)} run(s): {told}")
    if place:
        write(place, found, speed)
    return found


@contextmanager
def workspace(design: Design) -> Iterator[Path]:
    """A folder in which the stages of this repository run with a design's params."""
    with tempfile.TemporaryDirectory(prefix="fuseline-") as folder:
        root = Path(folder) / "repository"
        begin(root)
        for part in ("src", "stages"):
            (root / part).symlink_to(ROOT / part)
        (root / "data" / "raw").mkdir(parents=True)
        if not design.small:
            (root / "params.yaml").write_text((ROOT / "params.yaml").read_text())
        Workspace(root).set_params({**(SMALL_PARAMS if design.small else {}), **design.params})
        yield root


def run(root: Path, stage: DeclaredStage, at_most: float | None = None) -> Taken:
    """Run a stage's command, and look at its processes while it is at work.

    Args:
        at_most: seconds until it is stopped; None lets it end.
    """
    words = shlex.split(stage.command)
    environment = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"}
    environment["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "src")])
    started, most = processor_seconds(), Taken(0.0, 0.0, 0.0)
    process = subprocess.Popen([sys.executable, *words[1:]], cwd=root, env=environment)
    watcher = threading.Thread(target=_watch, args=(process.pid, root / WORK_FOLDER, most))
    watcher.start()
    try:
        if process.wait(at_most):
            raise subprocess.CalledProcessError(process.returncode, stage.command)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
    most.seconds = processor_seconds() - started
    watcher.join()
    # What DVC caches is there twice, where the file system cannot share it.
    most.disk_mb += sum((1 + cached) * size_mb(root / out) for out, cached in stage.outs.items())
    return most


def _watch(pid: int, work: Path, most: Taken) -> None:
    before = size_mb(work)
    while True:
        try:
            top = psutil.Process(pid)
            if top.status() == psutil.STATUS_ZOMBIE:
                return
            tree = [top, *top.children(recursive=True)]
            memory = sum(one.memory_full_info().pss for one in tree) / MEGA
            most.memory_mb = max(most.memory_mb, memory)
        except psutil.NoSuchProcess:
            if not psutil.pid_exists(pid):
                return
        most.disk_mb = max(most.disk_mb, size_mb(work) - before)
        time.sleep(SAMPLED_EVERY_SECONDS)


def size_mb(path: Path) -> float:
    """10^6 bytes of a file or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    total = 0
    for file in files:
        try:
            total += file.stat().st_size * file.is_file()
        except FileNotFoundError:
            continue
    return total / MEGA


def work_in(root: Path) -> Work:
    """What there is to do in a repository, on one thread."""
    asked = Asked.of(read_yaml(root / "params.yaml"))
    return Work(asked, ingested(root, asked.tokenize), CORES)


def estimated(work: Work, stage: str, speed: Speed) -> str:
    """What the slopes that are there say of a stage."""
    slopes = measured()
    memory = slopes.bytes(stage, "memory_mb", work.memory(stage)) / MEGA
    disk = slopes.bytes(stage, "disk_mb", work.disk(stage)) / MEGA
    seconds = slopes.seconds(stage, work.of(stage), speed)
    return f"estimated {seconds:.1f} s, {memory:.0f} MB, {disk:.1f} MB"


def note(observations: Observations, work: Work, stage: str, taken: Taken) -> None:
    """Put what a stage took beside its work."""
    observations.seconds.append((work.of(stage), taken.seconds))
    observations.memory_mb.append((work.memory(stage), taken.memory_mb))
    observations.disk_mb.append((work.disk(stage), taken.disk_mb))


def note_finished(found: Mapping[str, Observations], finished: Path) -> None:
    """Put the seconds that a whole run left beside its work, and a look at its memory: most of that
    is filled before the first of its work is done."""
    asked = Asked.of(read_yaml(finished / "params.yaml"))
    facts = ingested(finished, asked.tokenize)
    work, last = Work(asked, facts, available_cores()), durations.read(finished / WORK_FOLDER)
    with tempfile.TemporaryDirectory(prefix="fuseline-") as folder:
        root = Path(folder) / "repository"
        shutil.copytree(
            finished, root, ignore=shutil.ignore_patterns(".dvc", ".git", ".feature_cache")
        )
        for stage in stages_in_order():
            of = found[family(stage.cell)]
            of.seconds.append((work.of(stage.cell), last[stage.cell].seconds))
            taken = run(root, stage, at_most=LOOKED_AT_SECONDS)
            of.memory_mb.append((work.memory(stage.cell), taken.memory_mb))


def fitted(runs: list[tuple[Amounts, float]]) -> dict[str, float]:
    """Slopes by amount, by relative errors; 0 of an amount that no run had any of."""
    names = sorted({name for amounts, _ in runs for name in amounts})
    amounts = np.array([[of.get(name, 0.0) for name in names] for of, _ in runs])
    values = np.array([value for _, value in runs])
    weights = 1 / np.maximum(values, LEAST)
    scale = np.maximum(amounts.max(axis=0), 1e-12)
    found, _ = nnls(amounts / scale * weights[:, None], values * weights)
    slopes = found / scale
    return {name: float(f"{slope:.4g}") for name, slope in zip(names, slopes, strict=True)}


def write(place: Path, found: Mapping[str, Observations], speed: Speed) -> None:
    """Write the slopes as `fuseline.workbench.estimate.slopes` reads them."""
    content = {
        "measured_by": "python -m benchmarks.slopes --write --finished FOLDER",
        "speed": vars(speed),
        "stages": {name: runs.slopes() for name, runs in found.items()},
    }
    place.write_text(f"{json.dumps(content, indent=2)}\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="where `fuseline estimate` reads them")
    parser.add_argument("--finished", type=Path, help="a repository after a whole run on its own")
    parser.add_argument("--check", action="store_true", help="beside what no slope was fitted to")
    given = parser.parse_args()
    if given.check:
        main(CHECKS)
    else:
        main(place=PLACE if given.write else None, finished=given.finished)
