"""What each person did before a time.

Shapes: E events, Q questions, L events of a history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fuseline.data.interactions import DAY, Interactions

NOTHING = -1


@dataclass(frozen=True)
class Histories:
    """Events by person, each one's in the order of time.

    Attributes:
        starts: (U + 1,) where the events of each person begin.
        item, time: (E,) as in `Interactions`.
    """

    starts: np.ndarray
    item: np.ndarray
    time: np.ndarray

    @classmethod
    def of(cls, interactions: Interactions) -> Histories:
        """Those of all events."""
        order = np.argsort(interactions.user, kind="stable")
        counts = np.bincount(interactions.user, minlength=len(interactions.users))
        starts = np.concatenate([[0], np.cumsum(counts)])
        return cls(starts, interactions.item[order], interactions.time[order])

    def before(
        self, users: Sequence[int] | np.ndarray, at: int | np.ndarray, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The last events of some people before a time.

        Args:
            users: Q of them.
            at: in seconds since 1970: one time for all, or (Q,).
            length: L, of as many as there may be.

        Returns:
            Items (Q, L) int64, the newest first and `NOTHING` behind them, and their ages (Q, L)
            float32 in days.
        """
        users = np.asarray(users)
        times = np.broadcast_to(at, len(users))
        items = np.full((len(users), length), NOTHING, dtype=np.int64)
        ages = np.zeros((len(users), length), dtype=np.float32)
        for place, (user, time) in enumerate(zip(users, times, strict=True)):
            start, end = self.starts[user], self.starts[user + 1]
            end = start + np.searchsorted(self.time[start:end], time)
            last = slice(max(start, end - length), end)
            count = last.stop - last.start
            items[place, :count] = self.item[last][::-1]
            ages[place, :count] = (time - self.time[last][::-1]) / DAY
        return items, ages

    def all_of(self, user: int) -> np.ndarray:
        """Items of all events of one person, in the order of time."""
        return self.item[self.starts[user] : self.starts[user + 1]]
