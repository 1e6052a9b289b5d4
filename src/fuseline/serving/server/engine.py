"""One export at work: its decoders, its batcher, its model; and how another takes its place."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa

from fuseline.serving.chat.assembling import build_dialogue
from fuseline.serving.chat.config import read_service
from fuseline.serving.chat.dialogue import Dialogue
from fuseline.serving.cleaning import Cleaned, Refused
from fuseline.serving.contract import VECTOR
from fuseline.serving.predictor import Predictor
from fuseline.serving.recommending.catalogue import History
from fuseline.serving.recommending.files import FOLDER
from fuseline.serving.recommending.recommender import Recommender, load_recommender
from fuseline.serving.server.batcher import Batcher
from fuseline.serving.server.bodies import Asked, Job
from fuseline.serving.server.decoders import Decoders, Outcome
from fuseline.serving.server.examples import self_test
from fuseline.serving.server.limits import Limits
from fuseline.serving.server.logs import tell
from fuseline.serving.server.metrics import Metrics
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.score_log import ScoreLog
from fuseline.serving.server.settings import Settings
from fuseline.serving.server.shadow import Pair, Shadow
from fuseline.serving.shown import Shown
from fuseline.serving.signatures import Signature, signature
from fuseline.serving.writers import as_objects

Answer = dict[str, Any]
CARD_FILE = "README.md"


class Engine:
    """An export that has passed its own test.

    Args:
        predictor: the model.
        settings: of the server.
        metrics: of the server.
        shadow: that answers beside it.
        dialogue: that conversations are held by; None where there are none.
        recommender: that lists are made by; None where the export recommends nothing.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        metrics: Metrics,
        shadow: Shadow | None,
        dialogue: Dialogue | None,
        recommender: Recommender | None,
    ) -> None:
        self.predictor, self.contract = predictor, predictor.contract
        self.dialogue, self.recommender = dialogue, recommender
        self.limits = Limits.of(self.contract, settings)
        self.card = (settings.model / CARD_FILE).read_text(encoding="utf-8")
        self.shown = Shown.read(settings.model)
        self._metrics, self._shadow = metrics, shadow
        self._log = settings.score_log and ScoreLog(settings.score_log)
        contracts = (self.contract, *([shadow.predictor.contract] if shadow else []))
        self.decoders = Decoders(
            contracts, self.limits, settings.decoders, settings.decode_seconds, metrics
        )
        self.batcher = Batcher(
            self._answer, settings.max_batch_rows, settings.max_wait_ms / 1000, metrics
        )
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    async def load(cls, settings: Settings, metrics: Metrics, shadow: Shadow | None) -> Engine:
        """Load the export, let it answer an example, and make everything ready.

        Raises:
            FuselineError: it is not there, damaged, or fails its own test.
        """
        predictor = await asyncio.to_thread(_tested, settings)
        dialogue = await asyncio.to_thread(_dialogue, settings, predictor)
        recommender = await asyncio.to_thread(_recommender, settings)
        engine = cls(predictor, settings, metrics, shadow, dialogue, recommender)
        await engine.decoders.start()
        engine.batcher.start()
        return engine

    @property
    def columns(self) -> list[pa.Field]:
        """Of an answer that asks for everything."""
        return [field for field in self.predictor.schema if field.name != VECTOR]

    @contextmanager
    def held(self) -> Iterator[None]:
        """It is not let go before this request is answered."""
        self._requests += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._idle.set()

    async def retire(self) -> None:
        """Let go of it once every request is answered."""
        await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """Let go of it."""
        self.batcher.close()
        await self.decoders.close()

    async def answers(self, job: Job, request: str) -> tuple[Asked, list[Answer]]:
        """What a body asks, and an answer for each of its rows, in their order, without what
        nobody asked for.

        Args:
            job: the body.
            request: its name in the log.

        Raises:
            Rejected: the body cannot be read.
        """
        asked, answers = await self.whole_answers(job, request)
        return asked, [_asked(answer, asked) for answer in answers]

    async def whole_answers(self, job: Job, request: str) -> tuple[Asked, list[Answer]]:
        """Likewise, with all that the model says."""
        start = time.perf_counter()
        decoded = await self.decoders(job)
        self._metrics.step_seconds.labels("decode").observe(time.perf_counter() - start)
        firsts = [outcomes[0] for outcomes in decoded.outcomes]
        given = iter(await self.batcher([one for one in firsts if isinstance(one, Cleaned)]))
        answers = [_refusal(one) if isinstance(one, Refused) else next(given) for one in firsts]
        for one in firsts:
            outcome = one.reason if isinstance(one, Refused) else "answered"
            self._metrics.rows.labels(outcome).inc()
        self._offer(request, answers, decoded.outcomes)
        return decoded.asked, answers

    def _offer(
        self, request: str, answers: list[Answer], outcomes: list[tuple[Outcome, ...]]
    ) -> None:
        if self._shadow is None:
            return
        for answer, (_, other) in zip(answers, outcomes, strict=True):
            if "refused" not in answer:
                self._shadow.offer(Pair(request, answer, other))

    def _answer(self, rows: Sequence[Cleaned]) -> list[Answer]:
        answers, scores = self.predictor.scored(rows)
        if self._log:
            self._log.add(scores)
        found = as_objects(answers)
        changes = [row.record["sanitised"] for row in rows]
        return [one | {"sanitised": made} for one, made in zip(found, changes, strict=True)]


def _tested(settings: Settings) -> Predictor:
    predictor = Predictor(settings.model, settings.options)
    self_test(predictor)
    return predictor


def _dialogue(settings: Settings, predictor: Predictor) -> Dialogue | None:
    """What conversations are held by, if they are held."""
    if settings.service is None:
        return None
    dialogue = build_dialogue(read_service(settings.service), predictor)
    # What looks for personal data takes seconds to import, which no message is to wait for.
    dialogue.screen.masked("a@b")
    return dialogue


def _recommender(settings: Settings) -> Recommender | None:
    """What lists are made by, if the export has it; it has made one."""
    if not (settings.model / FOLDER).is_dir():
        return None
    recommender = load_recommender(settings.model, settings.threads)
    recommender.recommend(History.of([], []), count=1)
    return recommender


def _refusal(row: Refused) -> Answer:
    return {
        "row": row.row,
        "id": row.id,
        "refused": {"reason": row.reason, "detail": row.detail},
    }


def _asked(answer: Answer, asked: Asked) -> Answer:
    """An answer without what nobody asked for."""
    left_out = {
        "probabilities": asked.probabilities,
        "neighbours": asked.neighbours,
        VECTOR: False,
    }
    return {
        name: value for name, value in answer.items() if left_out.get(name.rpartition(".")[2], True)
    }


class Served:
    """The export that answers now.

    Args:
        settings: of the server.
        metrics: of the server.

    Attributes:
        begun: set once there is one.
        changes: held while an export is taken up, and while something is changed that it reads.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.begun = asyncio.Event()
        self.changes = asyncio.Lock()
        self._engine: Engine | None = None
        self._shadow: Shadow | None = None
        self._settled: Signature = ()
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def is_ready(self) -> bool:
        """Whether there is one."""
        return self._engine is not None

    @property
    def engine(self) -> Engine:
        """The one that answers.

        Raises:
            Rejected: there is none yet.
        """
        if self._engine is None:
            raise Rejected(
                503, "The model is being loaded. Wait for /health/ready to answer 200.", 1
            )
        return self._engine

    async def begin(self) -> None:
        """Load the first export.

        Raises:
            FuselineError: it is not there, damaged, or fails its own test.
        """
        if self.settings.shadow:
            other = replace(self.settings, model=self.settings.shadow, service=None)
            self._shadow = Shadow(await asyncio.to_thread(_tested, other), self.metrics)
            self._shadow.start()
        self._settled = self._files()
        self._engine = await Engine.load(self.settings, self.metrics, self._shadow)
        self.begun.set()
        tell("ready", **_named(self._engine))

    async def watch(self) -> None:
        """Look for a new export, again and again, and take it up."""
        last = self._settled
        while True:
            await asyncio.sleep(self.settings.reload_seconds)
            now = await asyncio.to_thread(self._files)
            # Files that are still being written differ from one look to the next.
            if now not in ((), self._settled) and now == last:
                self._settled = now
                async with self.changes:
                    await self._take_up()
            last = now

    def _files(self) -> Signature:
        """By what an export is known to be another; nothing while it is being replaced."""
        try:
            folder = self.settings.model
            return signature([*folder.iterdir(), *folder.glob(f"{FOLDER}/*")])
        except OSError:
            return ()

    async def _take_up(self) -> None:
        """Put a new export in the old one's place, if it passes its own test."""
        try:
            engine = await Engine.load(self.settings, self.metrics, self._shadow)
        except Exception as error:  # noqa: BLE001 - whatever it is, the old one goes on
            self.metrics.reloads.labels("refused").inc()
            tell("export_refused", logging.ERROR, reason=str(error))
            return
        if await asyncio.to_thread(self._files) != self._settled:
            # It was changed while it was read: the next look takes it up whole.
            await engine.close()
            return
        old, self._engine = self.engine, engine
        self.metrics.reloads.labels("taken").inc()
        tell("export_taken", **_named(engine))
        task = asyncio.create_task(_retired(old))
        del old
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def close(self) -> None:
        """Let go of all."""
        if self._shadow:
            self._shadow.close()
        if self._engine:
            await self._engine.close()


async def _retired(engine: Engine) -> None:
    """Let go of an engine and of its memory: what the C library keeps of it for later, often
    hundreds of megabytes, would stay beside what the next export brings."""
    await engine.retire()
    del engine
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
    if trim is not None:
        await asyncio.to_thread(trim, 0)


def _named(engine: Engine) -> dict[str, Any]:
    return {"model": engine.contract.origin.model, "weights": engine.contract.origin.weights}
