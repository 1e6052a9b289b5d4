"""Rows of many requests, answered together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fuseline.serving.cleaning import Cleaned
from fuseline.serving.server.logs import tell
from fuseline.serving.server.metrics import Metrics

Answers = Callable[[Sequence[Cleaned]], list[dict[str, Any]]]


@dataclass(frozen=True)
class _Waiting:
    row: Cleaned
    answer: asyncio.Future[dict[str, Any]]
    since: float


class Batcher:
    """A queue in front of one thread, which holds the model. How long the queue may grow is settled
    before it, by the requests that are let in.

    Args:
        answer: answers some rows, in their order.
        max_rows: that are answered at once.
        max_wait_seconds: that the first row of a batch waits for others.
        metrics: counts batches and times.
    """

    def __init__(
        self, answer: Answers, max_rows: int, max_wait_seconds: float, metrics: Metrics
    ) -> None:
        self._answer, self._max_rows, self._max_wait = answer, max_rows, max_wait_seconds
        self._metrics = metrics
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, "model")
        self._row_seconds = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._run())

    async def __call__(self, rows: Sequence[Cleaned]) -> list[dict[str, Any]]:
        """Answers to some rows, in their order.

        Raises:
            Exception: whatever the model raised of one of them.
        """
        loop, now = asyncio.get_running_loop(), time.perf_counter()
        waiting = [_Waiting(row, loop.create_future(), now) for row in rows]
        for one in waiting:
            self._queue.put_nowait(one)
        self._metrics.queue_rows.inc(len(waiting))
        return await asyncio.gather(*(one.answer for one in waiting))

    @property
    def wait_seconds(self) -> float:
        """How long a row would wait that came now."""
        return self._queue.qsize() * self._row_seconds

    def close(self) -> None:
        """End; nothing waits any more."""
        if self._task:
            self._task.cancel()
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._next()
            self._metrics.queue_rows.dec(len(batch))
            # Those that somebody still waits for.
            batch = [one for one in batch if not one.answer.done()]
            if not batch:
                continue
            start = time.perf_counter()
            rows = [one.row for one in batch]
            found = await loop.run_in_executor(self._thread, self._answer_all, rows)
            self._count(batch, start, time.perf_counter())
            for one, answer in zip(batch, found, strict=True):
                if one.answer.done():
                    continue
                if isinstance(answer, Exception):
                    one.answer.set_exception(answer)
                else:
                    one.answer.set_result(answer)

    async def _next(self) -> list[_Waiting]:
        """The next batch: full, or as old as a row may get."""
        batch = [await self._queue.get()]
        until = batch[0].since + self._max_wait
        while len(batch) < self._max_rows:
            if not self._queue.empty():
                batch.append(self._queue.get_nowait())
                continue
            left = until - time.perf_counter()
            if left <= 0:
                break
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), left))
            except TimeoutError:
                break
        return batch

    def _count(self, batch: list[_Waiting], start: float, end: float) -> None:
        self._metrics.batch_rows.observe(len(batch))
        self._metrics.step_seconds.labels("wait").observe(start - batch[0].since)
        self._metrics.step_seconds.labels("model").observe(end - start)
        each = (end - start) / len(batch)
        self._row_seconds = 0.9 * self._row_seconds + 0.1 * each if self._row_seconds else each

    def _answer_all(self, rows: list[Cleaned]) -> list[dict[str, Any] | Exception]:
        """Answers together; where that fails, each alone, so that one row spoils no other's."""
        try:
            return [*self._answer(rows)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is that request's
            tell("batch_failed", logging.ERROR, trace=True, rows=len(rows))
            if len(rows) == 1:
                return [error]
        return [one for row in rows for one in self._answer_all([row])]
