"""What is remembered of a conversation."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Turn:
    """What somebody said, personal data masked."""

    who: Literal["user", "service"]
    text: str


@dataclass(frozen=True)
class Question:
    """What was asked back: which of two intents a message means."""

    choices: tuple[str, str]
    message: str


@dataclass
class Session:
    """A conversation so far.

    Attributes:
        turns: the last of them; earlier ones are forgotten.
        unsure: messages in a row that were not understood.
        pending: what was asked back and not answered yet.
        handed_over: whether a person has taken over.
    """

    turns: deque[Turn]
    unsure: int = 0
    pending: Question | None = field(default=None)
    handed_over: bool = False

    @classmethod
    def begun(cls, most_turns: int) -> Session:
        """A new one, which remembers so many turns."""
        return cls(deque(maxlen=most_turns))
