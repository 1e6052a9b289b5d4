"""What a service says to a message, and what a person is given who takes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fuseline.serving.chat.retrieval import Found
from fuseline.serving.chat.session import Turn

Kind = Literal["answer", "ask", "unsure", "hand_over", "refused"]
Reason = Literal["wish", "complaint", "intent", "nothing_found", "unsure"]
By = Literal["template", "knowledge", "small_talk"]


@dataclass(frozen=True)
class Choice:
    """An intent that is asked back for, and how people read it."""

    intent: str
    name: str


@dataclass(frozen=True)
class Reply:
    """What is said.

    Attributes:
        kind: answered, asked back, not understood, handed over, or not read.
        text: of it.
        by: what answered.
        intent: that was understood.
        confidence: its probability, None where it was chosen or added without training.
        in_scope: whether the message lies near what was learnt; None where it was not asked.
        sources: entries that the text quotes.
        choices: that are asked back for.
        reason: of the hand-over.
        slots: of the message.
    """

    kind: Kind
    text: str
    by: By | None = None
    intent: str | None = None
    confidence: float | None = None
    in_scope: bool | None = None
    sources: Sequence[Found] = ()
    choices: Sequence[Choice] = ()
    reason: Reason | None = None
    slots: Mapping[str, str] | None = None

    def as_object(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "kind": self.kind,
            "text": self.text,
            "by": self.by,
            "intent": self.intent,
            "confidence": self.confidence,
            "in_scope": self.in_scope,
            "sources": [source(one) for one in self.sources],
            "choices": [{"intent": one.intent, "name": one.name} for one in self.choices],
            "reason": self.reason,
        }


@dataclass(frozen=True)
class HandOver:
    """The record of a hand-over: all that was said, as far as it is remembered and with personal
    data masked, and what was understood of the last message."""

    reason: Reason
    transcript: Sequence[Turn]
    understood: Reply
    candidates: Sequence[tuple[str, float]]
    found: Sequence[Found]

    def as_object(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "reason": self.reason,
            "transcript": [{"who": turn.who, "text": turn.text} for turn in self.transcript],
            "understood": {
                "intent": self.understood.intent,
                "candidates": [
                    {"intent": intent, "probability": share} for intent, share in self.candidates
                ],
                "in_scope": self.understood.in_scope,
                "slots": dict(self.understood.slots or {}),
                "found": [source(one) for one in self.found],
            },
        }


def source(found: Found) -> dict[str, Any]:
    """An entry as replies and records name it."""
    entry = found.entry
    return {
        "source": entry.source,
        "question": entry.question,
        "row": entry.row,
        "evidence": found.evidence,
    }
