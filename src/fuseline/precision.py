"""Threads, number formats and seeds of a run."""

from __future__ import annotations

import os
import random
import warnings
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
import torch

Precision = Literal["auto", "bf16", "fp32"]


def use_bf16(precision: Precision) -> bool:
    """Whether to compute in bfloat16: `auto` does where the processor multiplies in it.

    Half precision is never used: on a CPU it is several times slower than float32.
    """
    if precision == "auto":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return precision == "bf16"


def autocast(precision: Precision) -> AbstractContextManager[object]:
    """Context in which matrix products run in bfloat16 where `use_bf16` says so."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=use_bf16(precision))


def make_deterministic(seed: int, num_threads: int) -> None:
    """Fix seeds, thread count and deterministic kernels for this process."""
    cores = os.cpu_count() or 1
    if cores < num_threads:
        warnings.warn(
            f"base.num_threads is {num_threads} but this machine has {cores} cores: the run is"
            " slower, its results are the same.",
            stacklevel=2,
        )
    torch.set_num_threads(num_threads)
    # As `use_deterministic_algorithms(True)`, which imports the compiler too: it takes a second.
    torch.set_deterministic_debug_mode("error")
    # Filling every new tensor costs an eighth of a step, and no kernel here reads memory that it
    # has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
