"""Conversations over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from fastapi import APIRouter, Request

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.chat.assembling import new_intents
from fuseline.serving.chat.config import read_service
from fuseline.serving.chat.dialogue import Dialogue
from fuseline.serving.chat.hand_over import Desk
from fuseline.serving.chat.new_intents import added_intent, read_added, with_added, write_added
from fuseline.serving.chat.reply import HandOver, Reply
from fuseline.serving.chat.session import Session
from fuseline.serving.chat.sessions import Sessions, shown_name
from fuseline.serving.chat.understanding import Understood, labels_of
from fuseline.serving.cleaning import Refused
from fuseline.serving.server.asking import received
from fuseline.serving.server.bodies import Job, Kind, validated
from fuseline.serving.server.documents import body_of
from fuseline.serving.server.engine import Engine, Served
from fuseline.serving.server.logs import tell
from fuseline.serving.server.metrics import Metrics
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.routes import FAILURES
from fuseline.serving.server.schemas import (
    ChatRequest,
    ChatResponse,
    Failure,
    IntentFacts,
    IntentRequest,
)
from fuseline.serving.server.settings import Settings

JSON: dict[str, Kind] = {"application/json": "json"}
OTHERS: dict[int | str, dict[str, Any]] = {
    **FAILURES,
    403: {"model": Failure, "description": "Intents are added where the server has keys."},
    404: {"model": Failure, "description": "No conversations, or one that is forgotten."},
}
NO_SERVICE = (
    "This server holds no conversations. Start it with `fuseline serve --service service.yaml`."
)
# Of a character as \\ud83d\\udc1c, and of all that is in a body beside the message.
ESCAPED_BYTES, OTHER_BYTES = 12, 4096
router = APIRouter(tags=["chat"])


class Conversations:
    """Those of a server, whichever export answers.

    Args:
        settings: of the server.
        metrics: of the server.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self.has_keys = bool(settings.keys)
        # Turns, one after the other.
        self._turns = asyncio.Lock()
        self._desk: Desk | None = None
        self._sessions: Sessions | None = None
        if settings.service:
            service = read_service(settings.service)
            limits = service.params.limits
            self._desk = Desk(service, self._sent)
            self._sessions = Sessions(
                lambda: Session.begun(limits.history_turns),
                limits.sessions,
                60.0 * limits.session_minutes,
            )

    def session(self, name: str | None) -> tuple[str, Session]:
        """The conversation of a name, or a new one.

        Raises:
            Rejected: there is none of the name, or there are no conversations.
        """
        if self._sessions is None:
            raise Rejected(404, NO_SERVICE)
        if name is None:
            return self._sessions.begin()
        found = self._sessions.find(name)
        if found is None:
            raise Rejected(
                404, "session: unknown, or forgotten by now. Leave it out to begin a new one."
            )
        return name, found

    async def turn(
        self, dialogue: Dialogue, asked: ChatRequest, understood: Understood | Refused, request: str
    ) -> tuple[str, Reply]:
        """The name of a conversation, and what is said to the next message of it.

        Raises:
            Rejected: there is no such conversation.
        """
        async with self._turns:
            name, session = self.session(asked.session)
            reply, record = await asyncio.to_thread(
                dialogue.turn, session, asked.message, understood
            )
            self.tell(name, request, reply, record)
        return name, reply

    def tell(self, name: str, request: str, reply: Reply, record: HandOver | None) -> None:
        """Count and log a reply, without contents, and pass on a hand-over."""
        self._metrics.chat_replies.labels(reply.kind, reply.reason or "").inc()
        shown = shown_name(name)
        tell("chat", request=request, conversation=shown, kind=reply.kind, reason=reply.reason)
        if record and self._desk:
            try:
                self._desk.take(shown, record)
            except OSError as error:
                tell("hand_over_lost", logging.ERROR, conversation=shown, reason=error.strerror)

    def close(self) -> None:
        """Wait until all hand-overs are sent or given up."""
        if self._desk:
            self._desk.close()

    def _sent(self, what: str) -> None:
        is_sent = what == "sent"
        self._metrics.hand_overs.labels("sent" if is_sent else "failed").inc()
        tell("hand_over", logging.INFO if is_sent else logging.ERROR, outcome=what)


@router.post(
    "/v1/chat", responses=OTHERS, openapi_extra=body_of({"application/json": "ChatRequest"})
)
async def chat(request: Request) -> ChatResponse:
    """Say something, and get a reply: an answer with its sources, a question back, or a person."""
    held: Conversations = request.app.state.conversations
    async with received(request, JSON) as (engine, job):
        dialogue = _dialogue(engine)
        _check_size(dialogue, job)
        asked = validated(ChatRequest, job.body)
        understood = await _understood(engine, asked.message, request.state.id)
        # To its end, whatever becomes of the request: a hand-over is remembered and told of.
        name, reply = await asyncio.shield(held.turn(dialogue, asked, understood, request.state.id))
    return ChatResponse.model_validate({"session": name, **reply.as_object()})


@router.get("/v1/intents", responses=OTHERS)
async def intents(request: Request) -> list[IntentFacts]:
    """Intents that were added without training."""
    served: Served = request.app.state.served
    dialogue = _dialogue(served.engine)
    return _facts(dialogue)


@router.post(
    "/v1/intents", responses=OTHERS, openapi_extra=body_of({"application/json": "IntentRequest"})
)
async def add_intent(request: Request) -> list[IntentFacts]:
    """Add an intent from five sentences or more; one that was added by this name is replaced."""
    held: Conversations = request.app.state.conversations
    served: Served = request.app.state.served
    async with received(request, JSON) as (engine, job):
        _dialogue(engine)
        if not held.has_keys:
            raise Rejected(
                403,
                "Anybody could add intents here. Start the server with --api-key-file, or add it"
                " with `fuseline intents add` and start the server anew.",
            )
        asked = validated(IntentRequest, job.body)
        # To its end, whatever becomes of the request, and to the export that answers then.
        return await asyncio.shield(_added(served, asked))


async def _added(served: Served, asked: IntentRequest) -> list[IntentFacts]:
    async with served.changes:
        engine = served.engine
        dialogue = _dialogue(engine)
        try:
            await asyncio.to_thread(_add, engine, dialogue, asked)
        except ContractError as error:
            raise Rejected(422, str(error)) from None
        except ConfigError as error:
            tell("intent_lost", logging.ERROR, reason=str(error))
            raise Rejected(500, str(error)) from None
    tell("intent_added", intents=len(dialogue.added.names))
    return _facts(dialogue)


def _check_size(dialogue: Dialogue, job: Job) -> None:
    """A body is no larger than the longest message in the longest spelling of JSON."""
    most = dialogue.params.limits.message_characters
    if len(job.body) > ESCAPED_BYTES * most + OTHER_BYTES:
        raise Rejected(413, f"message: expected at most {most} characters. Shorten it.")


def _dialogue(engine: Engine) -> Dialogue:
    if engine.dialogue is None:
        raise Rejected(404, NO_SERVICE)
    return engine.dialogue


async def _understood(engine: Engine, message: str, request: str) -> Understood | Refused:
    """A message as the model sees it, read and cleaned where all bodies are."""
    body = json.dumps({"rows": [{"text": message}]}).encode()
    _, (answer,) = await engine.whole_answers(Job("json", "application/json", body), request)
    if refused := answer.get("refused"):
        return Refused(0, None, refused["reason"], refused["detail"])
    return Understood.of(answer)


def _add(engine: Engine, dialogue: Dialogue, asked: IntentRequest) -> None:
    path = dialogue.service.file(dialogue.service.params.new_intents)
    new = added_intent(asked.intent, asked.sentences)
    added = with_added(read_added(path), labels_of(engine.contract), new)
    told = new_intents(engine.predictor, added)
    write_added(path, added)
    dialogue.added = told


def _facts(dialogue: Dialogue) -> list[IntentFacts]:
    counts = dialogue.added.counts.items()
    return [IntentFacts(intent=name, sentences=count) for name, count in counts]
