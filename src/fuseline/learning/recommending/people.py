"""People who took something new in some time, and what they had before.

Shapes: Q people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuseline.data.histories import Histories
from fuseline.data.interactions import Interactions


@dataclass(frozen=True)
class People:
    """Q people who took items that they had not had before a time.

    Attributes:
        users: (Q,) int64.
        had: for each of them the items before it.
        wanted: for each of them the other items from it on, one at least.
    """

    users: np.ndarray
    had: list[np.ndarray]
    wanted: list[np.ndarray]

    def of(self, places: slice) -> People:
        """Some of them."""
        return People(self.users[places], self.had[places], self.wanted[places])


def people_of(past: Interactions, later: Interactions, users: np.ndarray) -> People:
    """Those of some people who took something new.

    Args:
        past: events before the time.
        later: events from it on.
        users: (Q,) numbers.
    """
    before, after = Histories.of(past), Histories.of(later)
    had = [before.all_of(user) for user in users]
    wanted = [
        np.setdiff1d(after.all_of(user), items) for user, items in zip(users, had, strict=True)
    ]
    kept = [place for place, items in enumerate(wanted) if len(items)]
    return People(users[kept], [had[place] for place in kept], [wanted[place] for place in kept])
