"""Signals and full disks: one line, a status that is not 0, and never another exception's place."""

from __future__ import annotations

import errno
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from fuseline.pipeline.interruption import full_disk
from tests.support.repository import REPOSITORY

# Interrupted within a library's C code that calls back, where an exception would get lost.
WORK = """
import runpy, sys, time
sys.argv[0] = "-m"
import stages
sys.argv[0] = "stages/report.py"
print("ready", flush=True)
sorted(range(10**6), key=lambda _: time.sleep(0.01))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_one_line_and_a_status(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert said.strip() == (
        f"report: stopped by {number.name}. What was finished is kept; `dvc repro` goes on"
        " from there."
    )


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can grow beyond that many bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_text(path: Path) -> None:
    path.write_text("x" * 10**6)


def write_tensors(path: Path) -> None:
    save_file({"weights": torch.zeros(10**6)}, path)


def write_table(path: Path) -> None:
    pq.write_table(pa.table({"numbers": torch.rand(10**5).numpy()}), path)


@pytest.mark.parametrize("write", [write_text, write_tensors, write_table])
def test_a_full_disk_is_known_by_what_any_library_raises(tmp_path: Path, write) -> None:
    with pytest.raises(Exception) as caught, largest_file(10_000):
        write(tmp_path / "file")
    assert full_disk(caught.value) == "File too large"


def test_the_path_is_named_where_it_is_known_and_the_cause_may_lie_deeper() -> None:
    full = OSError(errno.ENOSPC, "whatever", "data/examples/part.parquet")
    wrapped = RuntimeError("the writer failed")
    wrapped.__cause__ = full
    assert full_disk(wrapped) == "data/examples/part.parquet: No space left on device"


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "no", "file"), RuntimeError("os error 28"), ValueError()]
)
def test_other_exceptions_are_no_full_disk(error: Exception) -> None:
    assert full_disk(error) is None
