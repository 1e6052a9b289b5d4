"""Many like pieces of work, spread over processes of one thread each.

On a processor the products of a small batch gain little from a second thread, which waits through
most of a step; two processes with one thread each do nearly twice as much. What a piece comes to
hangs neither on the number of processes nor on the order, since each counts with one thread.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import psutil

from fuseline.errors import ContractError
from fuseline.pipeline.interruption import STARTED_BY, watch

Work = TypeVar("Work", bound=Callable[[Any], Any])

_numbers = itertools.count()
# Of a worker: by the number of the `Workers` that it is prepared for, what does their work.
_PREPARED: dict[int, Callable[[Any], Any]] = {}


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
        self._number = next(_numbers)
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
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        run = Parallel(self._processes, batch_size=1, return_as="generator", max_nbytes=None)
        one = (self._number, self._prepare, self._arguments)
        try:
            yield from run(delayed(_one)(*one, item) for item in items)
        except TerminatedWorkerError as error:
            raise ContractError(
                f"one of {self._processes} processes was ended from outside, as the system does"
                " when memory runs out. What was finished is kept: free memory and run it again, or"
                " lower base.num_threads, the number of processes."
            ) from error


def _one(
    number: int,
    prepare: Callable[..., Callable[[Any], Any]],
    arguments: tuple[Any, ...],
    item: Any,
) -> Any:
    """Do one piece in a worker."""
    if number not in _PREPARED:
        if not _PREPARED:
            _end_with_its_stage()
        _PREPARED.clear()
        _PREPARED[number] = prepare(*arguments)
    return _PREPARED[number](item)


def _end_with_its_stage() -> None:
    """A stage that is stopped ends at once; what it started must not work on."""
    # A terminal tells all of its processes at once; the stage answers for its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch([psutil.Process(STARTED_BY)], lambda: os._exit(1))
