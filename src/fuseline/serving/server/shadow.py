"""Another export that answers the same rows unseen: where would it have differed?"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fuseline.serving.cleaning import Refused
from fuseline.serving.predictor import Predictor
from fuseline.serving.server.decoders import Outcome
from fuseline.serving.server.logs import tell
from fuseline.serving.server.metrics import Metrics
from fuseline.serving.writers import as_objects

# Columns that are compared, of every task; and how far numbers may lie apart.
COMPARED = ("label", "probability", "labels", "value", "score")
TOLERANCE = 0.01
MAX_WAITING = 1024
MAX_ROWS = 32


@dataclass(frozen=True)
class Pair:
    """A row: the request that it came in, the answer that was given, and what the shadow's
    contract cleaned it to."""

    request: str
    answer: Mapping[str, Any]
    outcome: Outcome


class Shadow:
    """Answers behind the server's back, a thread of its own; what it has no time for is dropped.

    Args:
        predictor: the other export.
        metrics: counts what differs.
    """

    def __init__(self, predictor: Predictor, metrics: Metrics) -> None:
        self.predictor, self._metrics = predictor, metrics
        self._queue: asyncio.Queue[Pair] = asyncio.Queue(MAX_WAITING)
        self._thread = ThreadPoolExecutor(1, "shadow")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to compare."""
        self._task = asyncio.create_task(self._run())

    def offer(self, pair: Pair) -> None:
        """Compare a row when there is time."""
        try:
            self._queue.put_nowait(pair)
        except asyncio.QueueFull:
            self._metrics.shadow_rows.labels("dropped").inc()

    def close(self) -> None:
        """Compare no more."""
        if self._task:
            self._task.cancel()
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            pairs = [await self._queue.get()]
            while len(pairs) < MAX_ROWS and not self._queue.empty():
                pairs.append(self._queue.get_nowait())
            try:
                others = await loop.run_in_executor(self._thread, self._answers, pairs)
            except Exception:  # noqa: BLE001 - a shadow stops nothing
                tell("shadow_failed", logging.ERROR, trace=True, rows=len(pairs))
                self._metrics.shadow_rows.labels("failed").inc(len(pairs))
                continue
            for pair, other in zip(pairs, others, strict=True):
                self._compare(pair, other)

    def _answers(self, pairs: list[Pair]) -> list[dict[str, Any]]:
        """Its answers; a refused row's has nothing but the reason."""
        kept = [one.outcome for one in pairs if not isinstance(one.outcome, Refused)]
        answers = iter(as_objects(self.predictor.answer(kept)) if kept else [])
        return [
            {"refused": pair.outcome.reason} if isinstance(pair.outcome, Refused) else next(answers)
            for pair in pairs
        ]

    def _compare(self, pair: Pair, other: Mapping[str, Any]) -> None:
        found = differences(pair.answer, other)
        self._metrics.shadow_rows.labels("different" if found else "same").inc()
        if found:
            tell("shadow_differs", request=pair.request, row=pair.answer["row"], differs=found)


def differences(answer: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What two answers say otherwise, by column: the given answer's value and the other's."""
    if "refused" in other:
        return {"refused": [None, other["refused"]]}
    names = [name for name in {**answer, **other} if name.rpartition(".")[2] in COMPARED]
    pairs = {name: [answer.get(name), other.get(name)] for name in names}
    return {name: pair for name, pair in pairs.items() if not _alike(*pair)}


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0.0, abs_tol=TOLERANCE)
    return bool(one == other)
