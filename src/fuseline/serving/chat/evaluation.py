"""Whole dialogues from a script, and how many turns went rightly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fuseline.errors import ConfigError
from fuseline.evaluation.trust.shares import share_interval
from fuseline.serving.chat.dialogue import Dialogue
from fuseline.serving.chat.lines import read_lines
from fuseline.serving.chat.reply import Reason, Reply
from fuseline.serving.chat.understanding import understand
from fuseline.serving.predictor import Predictor

EXAMPLE = 'A line is an object such as {"turns": [{"user": "hello", "expect": "answer"}]}.'

Expected = Literal["answer", "refuse", "ask", "hand_over"]
# What a share of turns is called, by what was expected of them.
SHARES: dict[Expected, str] = {
    "answer": "answered rightly",
    "refuse": "refused rightly",
    "ask": "asked back rightly",
    "hand_over": "handed over rightly",
}

# What else of a reply may be told beside it.
COMPARED: dict[Expected, set[str]] = {
    "answer": {"intent", "source", "contains"},
    "refuse": set(),
    "ask": {"intent"},
    "hand_over": {"reason"},
}


class ScriptTurn(BaseModel):
    """A message, and what a right reply to it is.

    Attributes:
        user: the message.
        expect: that it is answered; that nothing is made up, whether somebody takes over or not;
            that it is asked back for; that a person takes over.
        intent: that an answer is of, or one of those asked back for.
        source: that an answer names among its sources.
        contains: what its text holds; case does not count.
        reason: of the hand-over.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    user: Annotated[str, Field(min_length=1)]
    expect: Expected
    intent: str | None = None
    source: str | None = None
    contains: str | None = None
    reason: Reason | None = None

    @model_validator(mode="after")
    def _is_looked_at(self) -> ScriptTurn:
        """What nobody compares with the reply would look as if it had been right."""
        given = self.model_fields_set - {"user", "expect"} - COMPARED[self.expect]
        if given:
            known = ", ".join(sorted(COMPARED[self.expect])) or "nothing else"
            found = ", ".join(sorted(given))
            raise ValueError(f"expect '{self.expect}' is told more of by {known}; found {found}")
        return self


class Script(BaseModel):
    """A line of the file: one dialogue."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str | None = None
    turns: Annotated[list[ScriptTurn], Field(min_length=1)]


@dataclass(frozen=True)
class Outcome:
    """A turn of a script as it went."""

    line: int
    expected: ScriptTurn
    reply: Reply
    right: bool


def read_scripts(path: Path) -> list[Script]:
    """The dialogues of a file of JSON lines.

    Raises:
        ConfigError: there is no such file, or none in it.
        ContractError: a line is wrong; it is named.
    """
    try:
        found = read_lines(path, Script, EXAMPLE)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--evaluate: {path}: cannot be read ({error}).") from None
    if not found:
        raise ConfigError(f"--evaluate: {path}: expected a dialogue a line, found none.")
    return found


def play(dialogue: Dialogue, predictor: Predictor, scripts: Sequence[Script]) -> Iterator[Outcome]:
    """Every turn of every script, each in a conversation of its own; no hand-over is sent."""
    for line, script in enumerate(scripts, start=1):
        session = dialogue.begin()
        for expected in script.turns:
            understood = understand(predictor, expected.user)
            reply, _ = dialogue.turn(session, expected.user, understood)
            yield Outcome(line, expected, reply, is_right(expected, reply))


def is_right(expected: ScriptTurn, reply: Reply) -> bool:
    """Whether a reply is what was expected."""
    wanted_text = (expected.contains or "").casefold() in reply.text.casefold()
    if expected.expect == "answer":
        sources = {found.entry.source for found in reply.sources}
        right_source = expected.source is None or expected.source in sources
        right_intent = expected.intent in (None, reply.intent)
        return reply.kind == "answer" and right_source and right_intent and wanted_text
    if expected.expect == "refuse":
        return reply.kind in ("unsure", "refused") or reply.reason in ("nothing_found", "unsure")
    if expected.expect == "ask":
        choices = {choice.intent for choice in reply.choices}
        return reply.kind == "ask" and (expected.intent is None or expected.intent in choices)
    return reply.kind == "hand_over" and expected.reason in (None, reply.reason)


def measured(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Shares with their 95 % intervals: of turns by what was expected of them, of dialogues that
    went rightly from end to end, and of turns answered though they should not have been."""
    found = {
        name: _share([one.right for one in outcomes if one.expected.expect == kind])
        for kind, name in SHARES.items()
    }
    made_up = [one.reply.kind == "answer" for one in outcomes if one.expected.expect == "refuse"]
    found["made up"] = _share(made_up)
    lines = {one.line for one in outcomes}
    wrong = {one.line for one in outcomes if not one.right}
    found["dialogues rightly"] = _share([line not in wrong for line in sorted(lines)])
    return {name: share for name, share in found.items() if share["of"]}


def _share(right: Sequence[bool]) -> dict[str, float]:
    count, total = sum(right), len(right)
    share = count / total if total else 0.0
    interval = share_interval(count, total)
    rounded = {name: round(value, 4) for name, value in interval.items()}
    return {"share": round(share, 4), **rounded, "of": total}
