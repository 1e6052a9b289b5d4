"""Contestants: each does its pieces of one work in a process of its own, and they take turns.

So a busy moment of the machine hits all of them alike, and the most memory that each ever held can
be told apart.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from fuseline.pipeline.stage import LIBRARY_SETTINGS

KIBI_TO_MIB = 1 / 1024


@dataclass(frozen=True)
class Piece:
    """A piece of work: seconds of the processor, and how much was done in them, as of tokens."""

    seconds: float
    amount: float

    @property
    def rate(self) -> float:
        return self.amount / self.seconds


# Does the piece of a turn.
Work = Callable[[int], Piece]
# Runs in the contestant's own process; can be pickled.
Maker = Callable[[], Work]


@dataclass
class Result:
    """The pieces of a contestant, a turn each, and the most memory that it held, in MiB."""

    pieces: list[Piece]
    memory_mib: float = 0.0

    @property
    def rate(self) -> float:
        """Median amount a second."""
        return statistics.median(piece.rate for piece in self.pieces)


@dataclass(frozen=True)
class Ratio:
    """A contestant's rate over another's in the same turn: median, least and most of all turns."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, one: Result, other: Result) -> Ratio:
        found = [a.rate / b.rate for a, b in zip(one.pieces, other.pieces, strict=True)]
        return cls(statistics.median(found), min(found), max(found))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def compete(makers: Mapping[str, Maker], num_rounds: int) -> dict[str, Result]:
    """Let all do a piece in every round, in another order each time.

    Args:
        makers: by contestant.
        num_rounds: that count; one more comes first, in which everything is allocated.

    Raises:
        EOFError: a contestant's process ended; it has said why.
    """
    for variable, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(variable, value)
    with ExitStack() as stack:
        pipes = {name: stack.enter_context(_process(maker)) for name, maker in makers.items()}
        results = {name: Result([]) for name in makers}
        for turn in range(num_rounds + 1):
            for name in random.Random(turn).sample([*makers], len(makers)):
                pipes[name].send(turn)
                piece: Piece = pipes[name].recv()
                if turn:
                    results[name].pieces.append(piece)
        for name, pipe in pipes.items():
            pipe.send(None)
            results[name].memory_mib = pipe.recv()
        return results


@contextmanager
def _process(maker: Maker) -> Iterator[Connection]:
    # All are forks of one process that has loaded the libraries and done nothing else.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.trainings"])
    near, far = context.Pipe()
    process = context.Process(target=_serve, args=(maker, far), daemon=True)
    process.start()
    far.close()
    try:
        yield near
    finally:
        process.kill()
        process.join()


def _serve(maker: Maker, pipe: Connection) -> None:
    work = maker()
    while (turn := pipe.recv()) is not None:
        pipe.send(work(turn))
    pipe.send(_peak_memory())


def _peak_memory() -> float:
    """MiB, the loaded libraries among them; `getrusage` would begin with what its parent held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kibi,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kibi) * KIBI_TO_MIB
