"""Conversations by their names: how many there may be, and for how long."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from fuseline.serving.chat.session import Session

# Bytes of a name that cannot be guessed.
NAME_BYTES = 32


@dataclass
class _Kept:
    session: Session
    used: float


class Sessions:
    """Those that somebody may go on with.

    Args:
        begin: makes a new one.
        most: that are kept; the one that was not used for longest makes room.
        most_seconds: without a message until one is forgotten.
        clock: seconds that only rise.
    """

    def __init__(
        self,
        begin: Callable[[], Session],
        most: int,
        most_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begin, self._most, self._most_seconds = begin, most, most_seconds
        self._clock = clock
        # The least recently used first.
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def __len__(self) -> int:
        self._forget()
        return len(self._kept)

    def begin(self) -> tuple[str, Session]:
        """A new one, and its name, by which whoever has it goes on."""
        self._forget()
        while len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        name = secrets.token_urlsafe(NAME_BYTES)
        session = self._begin()
        self._kept[name] = _Kept(session, self._clock())
        return name, session

    def find(self, name: str) -> Session | None:
        """The one of a name, if it is not forgotten."""
        self._forget()
        kept = self._kept.get(name)
        if kept is None:
            return None
        kept.used = self._clock()
        self._kept.move_to_end(name)
        return kept.session

    def _forget(self) -> None:
        oldest = self._clock() - self._most_seconds
        while self._kept and next(iter(self._kept.values())).used < oldest:
            self._kept.popitem(last=False)


def shown_name(name: str) -> str:
    """What a conversation is called in logs and records: no key to it."""
    return sha256(name.encode()).hexdigest()[:12]
