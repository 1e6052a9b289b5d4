"""The number of threads is as set, however many cores there are."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# A step of gradients that is cut into as many parts as there are threads.
STEP = """
import hashlib, torch
from fuseline.pipeline.precision import make_deterministic
make_deterministic(17, {threads})
layer = torch.nn.Sequential(torch.nn.Linear(257, 129), torch.nn.LayerNorm(129))
layer(torch.randn(1031, 257)).square().sum().backward()
found = b"".join(parameter.grad.numpy().tobytes() for parameter in layer.parameters())
print(torch.get_num_threads(), hashlib.sha256(found).hexdigest())
"""


def gradients(threads: int, cores: set[int]) -> str:
    return subprocess.run(
        [sys.executable, "-c", STEP.format(threads=threads)],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    ).stdout


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core only")
def test_one_core_gives_the_bytes_of_two() -> None:
    cores = os.sched_getaffinity(0)
    on_all = gradients(2, cores)
    assert on_all.startswith("2 ")
    assert gradients(2, {min(cores)}) == on_all
    assert gradients(1, cores) != on_all
