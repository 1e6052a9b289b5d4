"""How fast this machine is beside the one that the slopes were measured on, by a short look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

# A batch of a training step of the default: its rows' tokens by a layer of the text encoder.
SHAPE = (256, 384, 1536)
REPEATS, ROUNDS = 12, 3
STEPS = 60_000


@dataclass(frozen=True)
class Speed:
    """Seconds that this machine takes, the best of some rounds.

    Attributes:
        products: of float32 products of matrices, on one thread.
        steps: of steps of the interpreter.
    """

    products: float
    steps: float


def calibrate() -> Speed:
    """Measure it; a third of a second on a machine of 2020."""
    rows, inner, columns = SHAPE
    left, right = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)

    def products() -> None:
        for _ in range(REPEATS):
            np.matmul(left, right)

    with threadpool_limits(limits=1):
        return Speed(_best(products), _best(_count))


def _count() -> None:
    seen: dict[int, str] = {}
    for number in range(STEPS):
        seen[number % 997] = str(number)


def _best(work: Callable[[], None]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)
