"""How long a list takes of many items: random vectors, on one thread.

Prints milliseconds: median and largest of the repeats, for a plain list, one with a filter, and a
diverse one; and of a start of `fuseline recommend`. Threads of BLAS are held to one in a process of
its own, since NumPy reads their number as it is loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.serving.recommending.filters import Condition
from fuseline.serving.recommending.recommender import load_recommender
from tests.support.recommenders import write_recommender

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
HISTORY = 50
WIDTH = 128
HOW: dict[str, dict[str, Any]] = {
    "plain": {},
    "filtered": {"where": [Condition("year", ">=", "2010"), Condition("genre", "=", "Drama")]},
    "diverse": {"diversity": 0.3},
}


def main(num_items: int = 100_000, repeats: int = 50) -> None:
    """Measure in a process on one thread, and the start of the command."""
    with tempfile.TemporaryDirectory() as folder:
        export = write_recommender(Path(folder), num_items, WIDTH, HISTORY)
        code = f"from benchmarks.recommending import measure; measure({str(export)!r}, {repeats})"
        environment = {**os.environ, **ONE_THREAD}
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        command = [sys.executable, "-m", "fuseline.cli", "recommend", "--user", "ann"]
        start = time.perf_counter()
        subprocess.run([*command, "--model", str(export)], check=True, stdout=subprocess.DEVNULL)
        _tell("command", [time.perf_counter() - start])


def measure(export: str, repeats: int) -> None:
    """Print the times of lists, one line of JSON each."""
    start = time.perf_counter()
    recommender = load_recommender(Path(export))
    _tell("load", [time.perf_counter() - start])
    history = recommender.users.find("ann")
    assert history
    for name, how in HOW.items():
        recommender.recommend(history, count=10, **how)
        seconds = []
        for _ in range(repeats):
            start = time.perf_counter()
            recommender.recommend(history, count=10, **how)
            seconds.append(time.perf_counter() - start)
        _tell(name, seconds)


def _tell(name: str, seconds: list[float]) -> None:
    found = {"median_ms": np.median(seconds), "largest_ms": max(seconds)}
    shown = {key: round(1000 * float(value), 2) for key, value in found.items()}
    print(json.dumps({"what": name, **shown}), flush=True)
