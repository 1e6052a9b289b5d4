"""Wall time of the whole pipeline, peak memory, and what a run with nothing to do costs."""

from __future__ import annotations

import resource
import statistics
import time
from pathlib import Path

from benchmarks.workspace import ROOT, clean_clone, run


def main(origin: Path = ROOT, num_rounds: int = 5) -> None:
    """Time `dvc repro` in a clean clone, then no-op runs against `dvc version`."""
    with clean_clone(origin) as clone:
        started = time.perf_counter()
        run(clone, "dvc", "repro", "--quiet")
        wall = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"dvc repro from a clean clone: {wall:.0f} s, largest process {peak:.2f} GiB")
        same = (clone / "dvc.lock").read_text() == (origin / "dvc.lock").read_text()
        print(f"dvc.lock equals the committed one: {same}")
        noop, version = [], []
        for _ in range(num_rounds):
            noop.append(seconds(clone, "dvc", "repro", "--quiet"))
            version.append(seconds(clone, "dvc", "version", "--quiet"))
        ratio = statistics.median(noop) / statistics.median(version)
        print(
            f"no-op dvc repro: {statistics.median(noop):.2f} s, {ratio:.2f} x dvc version"
            f" ({statistics.median(version):.2f} s)"
        )


def seconds(clone: Path, *command: str) -> float:
    """Wall time of one command."""
    started = time.perf_counter()
    run(clone, *command)
    return time.perf_counter() - started
