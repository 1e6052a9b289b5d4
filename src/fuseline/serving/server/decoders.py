"""Processes that read bodies and clean rows, so that a body which ends one, or keeps it busy,
stops no other request."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import resource
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

import psutil

from fuseline.pipeline.interruption import STARTED_BY, watch
from fuseline.serving.cleaning import Cleaned, Cleaner, Refused
from fuseline.serving.contract import ExportContract
from fuseline.serving.server.bodies import Asked, Job, Reader
from fuseline.serving.server.limits import Limits
from fuseline.serving.server.logs import tell
from fuseline.serving.server.metrics import Metrics
from fuseline.serving.server.rejected import Rejected

# What a decoder may take beyond what it begins with.
MEMORY_BYTES = 3 * 2**30

Outcome = Cleaned | Refused
Result = TypeVar("Result")


@dataclass(frozen=True)
class Decoded:
    """What a body asks, and by contract what each of its rows was cleaned to."""

    asked: Asked
    outcomes: list[tuple[Outcome, ...]]


@dataclass(frozen=True)
class _Decoder:
    executor: ProcessPoolExecutor
    pid: int


class Decoders:
    """A few processes, each at one body at a time.

    Args:
        contracts: that rows are cleaned by; bodies are read by the first.
        limits: of a request.
        count: how many processes.
        seconds: that a body may take.
        metrics: counts what is replaced.
    """

    def __init__(
        self,
        contracts: tuple[ExportContract, ...],
        limits: Limits,
        count: int,
        seconds: float,
        metrics: Metrics,
    ) -> None:
        self._contracts, self._limits, self._count = contracts, limits, count
        self._seconds, self._metrics = seconds, metrics
        self._free: asyncio.Queue[_Decoder] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def start(self) -> None:
        """Return once all are ready."""
        await asyncio.gather(*(self._add() for _ in range(self._count)))

    async def __call__(self, job: Job) -> Decoded:
        """Read a body and clean its rows.

        Raises:
            Rejected: the body is not what it should be, or took its process with it.
        """
        # A request that is given up does not give up the process that is at its work.
        return await asyncio.shield(self._keep(asyncio.create_task(self._decode(job))))

    async def close(self) -> None:
        """Return once all that are free have ended, and left nothing behind; one that is at work
        ends after it."""
        self._closed = True
        ending = []
        while not self._free.empty():
            ending.append(asyncio.to_thread(self._free.get_nowait().executor.shutdown))
        await asyncio.gather(*ending)

    async def _decode(self, job: Job) -> Decoded:
        decoder = await self._free.get()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(decoder.executor, _decode_here, job)
        try:
            found = await asyncio.wait_for(work, self._seconds)
        except TimeoutError:
            os.kill(decoder.pid, signal.SIGKILL)
            self._replace(decoder, "time")
            raise Rejected(
                422,
                f"body: took over {self._seconds:g} seconds to decode. Send smaller media.",
            ) from None
        except BrokenProcessPool:
            self._replace(decoder, "death")
            raise Rejected(
                422,
                "body: the process that decoded it came to its end, as it does when memory runs"
                " out. Send smaller or sound media.",
            ) from None
        except BaseException:
            self._release(decoder)
            raise
        self._release(decoder)
        return found

    def _release(self, decoder: _Decoder) -> None:
        if self._closed:
            decoder.executor.shutdown(wait=False)
        else:
            self._free.put_nowait(decoder)

    def _replace(self, decoder: _Decoder, reason: str) -> None:
        decoder.executor.shutdown(wait=False, cancel_futures=True)
        self._metrics.decoders_replaced.inc()
        tell("decoder_replaced", reason=reason)
        self._keep(asyncio.create_task(self._add_in_the_end()))

    async def _add_in_the_end(self) -> None:
        """Add one, however often it ends before it is ready."""
        while not self._closed:
            try:
                await self._add()
                return
            except BrokenProcessPool:
                tell("decoder_failed", logging.ERROR)
                await asyncio.sleep(1.0)

    async def _add(self) -> None:
        # A fork would take over locks that threads of this process hold.
        spawn = multiprocessing.get_context("spawn")
        prepared = (self._contracts, self._limits)
        executor = ProcessPoolExecutor(1, spawn, _begin, prepared)
        pid = await asyncio.get_running_loop().run_in_executor(executor, os.getpid)
        self._release(_Decoder(executor, pid))

    def _keep(self, task: asyncio.Task[Result]) -> asyncio.Task[Result]:
        """Hold a task until it is done: the loop alone would let go of it."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Decode:
    """What a decoder does."""

    def __init__(self, contracts: tuple[ExportContract, ...], limits: Limits) -> None:
        self._read = Reader(contracts[0], limits)
        self._cleaners = [Cleaner(contract) for contract in contracts]

    def __call__(self, job: Job) -> Decoded:
        asked = self._read(job)
        outcomes = [tuple(clean(row) for clean in self._cleaners) for row in asked.rows]
        # The raw media have been seen.
        return Decoded(Asked([], *_rest(asked)), outcomes)


def _rest(asked: Asked) -> tuple[bool, bool, str | None, tuple[str, ...] | None]:
    return asked.probabilities, asked.neighbours, asked.id, asked.outputs


# Of a decoder: what does its work.
_PREPARED: list[_Decode] = []


def _begin(contracts: tuple[ExportContract, ...], limits: Limits) -> None:
    """Make a decoder ready. It ends with its server, which answers signals for both: a scheduler
    sends them to every process at once, and requests in flight need theirs."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    watch([psutil.Process(STARTED_BY)], lambda: os._exit(1))
    _PREPARED.append(_Decode(contracts, limits))
    used = psutil.Process().memory_info().data
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY_BYTES, most))


def _decode_here(job: Job) -> Decoded:
    try:
        return _PREPARED[0](job)
    except MemoryError:
        raise Rejected(
            413, "body: needs more memory than a request may. Send fewer rows or smaller media."
        ) from None
