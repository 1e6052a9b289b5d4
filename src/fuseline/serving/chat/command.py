"""What `fuseline chat` and `fuseline intents add` do with their options."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from fuseline.serving.chat.assembling import build_dialogue, new_intents, options
from fuseline.serving.chat.config import Service, read_service
from fuseline.serving.chat.evaluation import Outcome, measured, play, read_scripts
from fuseline.serving.chat.hand_over import Desk
from fuseline.serving.chat.new_intents import (
    added_intent,
    read_added,
    sentences_of,
    with_added,
    write_added,
)
from fuseline.serving.chat.reply import HandOver, Reply
from fuseline.serving.chat.understanding import check_model, labels_of, understand
from fuseline.serving.predictor import Predictor

PROMPT = "you> "


@dataclass(frozen=True)
class Asked:
    """Which service and which model."""

    service: Path
    model: Path
    int8: bool
    threads: int

    def read(self) -> tuple[Service, Predictor]:
        """Both of them.

        Raises:
            ConfigError: one is not there, or wrong.
        """
        service = read_service(self.service)
        return service, Predictor(self.model, options(int8=self.int8, threads=self.threads))


def converse(asked: Asked) -> None:
    """Answer lines of standard input until it ends: as text in a terminal, else as JSON lines."""
    service, predictor = asked.read()
    dialogue = build_dialogue(service, predictor)
    desk = Desk(service, lambda what: print(f"hand-over {what}", file=sys.stderr))
    session, shown = dialogue.begin(), sys.stdout.isatty()
    if isinstance(sys.stdin, TextIOWrapper):
        # Bytes that are no text are read as U+FFFD.
        sys.stdin.reconfigure(errors="replace")
    try:
        while (line := _line()) is not None:
            if not (message := line.strip()):
                continue
            reply, record = dialogue.turn(session, message, understand(predictor, message))
            print(_described(reply) if shown else _json(reply.as_object()), flush=True)
            if record:
                _keep(desk, record)
    finally:
        desk.close()


def evaluate(asked: Asked, scripts: Path) -> bool:
    """Play the dialogues of a script, and print what went rightly; whether any did not."""
    read = read_scripts(scripts)
    service, predictor = asked.read()
    dialogue = build_dialogue(service, predictor)
    outcomes = list(play(dialogue, predictor, read))
    for one in outcomes:
        if not one.right:
            print(_wrong(scripts, one), file=sys.stderr)
    found = measured(outcomes)
    print(_table(found) if sys.stdout.isatty() else _json(found))
    return not all(one.right for one in outcomes)


def add_intent(asked: Asked, name: str, sentences: Path) -> str:
    """Add an intent to the service's file; what was done.

    Raises:
        ContractError: the name was learnt, or the sentences are too few or unreadable.
    """
    service, predictor = asked.read()
    check_model(predictor.contract)
    path = service.file(service.params.new_intents)
    new = added_intent(name, sentences_of(sentences))
    intents = with_added(read_added(path), labels_of(predictor.contract), new)
    new_intents(predictor, intents)
    write_added(path, intents)
    return (
        f"{path}: '{name}' added, from {len(new.sentences)} sentences. A running server takes it"
        " up as it starts anew, or with POST /v1/intents at once."
    )


def added_intents(service: Path) -> list[str]:
    """The intents that were added to a service, each with the number of its sentences."""
    read = read_service(service)
    added = read_added(read.file(read.params.new_intents))
    return [f"{one.intent}: {len(one.sentences)} sentences" for one in added]


def _keep(desk: Desk, record: HandOver) -> None:
    try:
        desk.take("terminal", record)
    except OSError as error:
        print(f"hand-over not kept: {error.strerror}", file=sys.stderr)


def _line() -> str | None:
    if not sys.stdin.isatty():
        return sys.stdin.readline() or None
    try:
        return input(PROMPT)
    except EOFError:
        print()
        return None


def _described(reply: Reply) -> str:
    """A reply as people read it: its text, then what it is from and how sure it is."""
    lines = [reply.text]
    lines += [f"  source: {found.entry.source}" for found in reply.sources]
    lines += [f"  {place}. {one.name}" for place, one in enumerate(reply.choices, start=1)]
    if reply.intent:
        sure = "" if reply.confidence is None else f", {reply.confidence:.0%} sure"
        lines.append(f"  understood: {reply.intent}{sure}")
    if reply.reason:
        lines.append(f"  handed over: {reply.reason.replace('_', ' ')}")
    return "\n".join(lines)


def _wrong(scripts: Path, one: Outcome) -> str:
    expected = one.expected.model_dump(exclude_none=True, exclude={"user"})
    found = {name: value for name, value in one.reply.as_object().items() if value}
    return f"{scripts}: line {one.line}: expected {_json(expected)}; found {_json(found)}."


def _table(found: dict[str, dict[str, float]]) -> str:
    return "\n".join(
        f"{name:<22}{one['share']:.3f} [{one['low']:.3f}, {one['high']:.3f}] of {one['of']:g}"
        for name, one in found.items()
    )


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)
