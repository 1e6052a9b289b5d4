"""Many like pieces of work, spread over processes of one thread each.

On a processor the products of a small batch gain little from a second thread, which waits through
most of a step; two processes with one thread each do nearly twice as much. What a piece comes to
hangs neither on the number of processes nor on the order, since each counts with one thread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from typing import Any, Generic, TypeVar

import psutil

from fuseline.errors import ContractError
from fuseline.pipeline.interruption import STARTED_BY, watch

Work = TypeVar("Work", bound=Callable[[Any], Any])

# Of a worker: what does its work.
_PREPARED: list[Callable[[Any], Any]] = []


class Workers(Generic[Work]):
    """Processes that do the same kind of work.

    Args:
        prepare: a function or class of a module, called once in each process; gives what does the
            work, and fixes the threads of its process to one.
        arguments: of `prepare`; they, items and results can be pickled.
        processes: how many at once; with 1 all is done in this one.
    """

    def __init__(
        self, prepare: Callable[..., Work], arguments: tuple[Any, ...], processes: int
    ) -> None:
        self._prepare, self._arguments, self._processes = prepare, arguments, processes
        self._here: Work | None = None

    @property
    def here(self) -> Work:
        """What does the work in this process."""
        if self._here is None:
            self._here = self._prepare(*self._arguments)
        return self._here

    def each(self, items: Sequence[Any]) -> Iterator[Any]:
        """What the work makes of each item, in the order of the items.

        Raises:
            ContractError: a process was ended from outside, as the system does when memory runs
                out.
        """
        if min(self._processes, len(items)) < 2:
            yield from map(self.here, items)
            return
        try:
            yield from self._pool.map(_one, items)
        except BrokenProcessPool as error:
            raise ContractError(
                f"one of {self._processes} processes was ended from outside, as the system does"
                " when memory runs out. What was finished is kept: free memory and run it again, or"
                " lower base.num_threads, the number of processes."
            ) from error
        except BaseException:
            # Nobody waits for what is still at work behind an error.
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        # A fork would take over locks that threads of this process hold.
        spawn = multiprocessing.get_context("spawn")
        prepared = (self._prepare, self._arguments)
        return ProcessPoolExecutor(self._processes, spawn, _begin, prepared)


def _begin(prepare: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    """Make a worker ready, and let it end with its stage: one that is stopped ends at once, and
    what it started must not work on."""
    # A terminal tells all of its processes at once; the stage answers for its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch([psutil.Process(STARTED_BY)], lambda: os._exit(1))
    _PREPARED.append(prepare(*arguments))


def _one(item: Any) -> Any:
    """Do one piece in a worker."""
    return _PREPARED[0](item)
