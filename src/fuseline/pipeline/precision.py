"""Threads, number formats and seeds of a run."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from fuseline.pipeline.environment import precision_used

Precision = Literal["auto", "bf16", "fp32"]


def use_bf16(precision: Precision) -> bool:
    """Whether to compute in bfloat16: `auto` does where the processor multiplies in it.

    Half precision is never used: on a CPU it is several times slower than float32.
    """
    return precision_used(precision) == "bf16"


def autocast(precision: Precision) -> AbstractContextManager[object]:
    """Context in which matrix products run in bfloat16 where `use_bf16` says so."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=use_bf16(precision))


def plain_attention() -> AbstractContextManager[object]:
    """Context in which attention is plain products: on a processor the backward pass of the fused
    kernel is slower."""
    return sdpa_kernel(SDPBackend.MATH)


def make_deterministic(seed: int, num_threads: int) -> None:
    """Fix seeds, thread count and deterministic kernels for this process."""
    torch.set_num_threads(num_threads)
    # As `use_deterministic_algorithms(True)`, which imports the compiler too: it takes a second.
    torch.set_deterministic_debug_mode("error")
    # Filling every new tensor costs an eighth of a step, and no kernel here reads memory that it
    # has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
