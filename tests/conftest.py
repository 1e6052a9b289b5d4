"""Tests compute on one thread each, and what one changes of torch's state is gone for the next."""

import gc
import os
import signal
import sys

# Read when the libraries load. The test processes share the cores: more threads than cores would
# wait for each other, and the last bits of a result would depend on the machine.
os.environ["OMP_NUM_THREADS"] = "1"

# As not set: each of the hundreds of processes that tests start would compile the package anew.
os.environ["PYTHONDONTWRITEBYTECODE"] = ""

# A shell's job in the background ignores SIGINT, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
import torch

sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """What all imports have made stays: a training collects garbage at its end, and would look
    through it each time, which takes longer than training on a few rows."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _torch_as_it_was():
    """Stages called in this process set threads and determinism, on which the last bits of a
    result depend: without this a test would pass or fail by its place in the order."""
    threads = torch.get_num_threads()
    mode = torch.get_deterministic_debug_mode()
    fills = torch.utils.deterministic.fill_uninitialized_memory
    yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)
    torch.utils.deterministic.fill_uninitialized_memory = fills
