"""Whom lists are made for, and what would be right: one cut by time.

Shapes: Q people asked, N items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fuseline.data.interactions import Interactions
from fuseline.learning.recommending.people import people_of


class Scorer(Protocol):
    """Anything that scores items for people by what it knows."""

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(Q, N) float32 of people by number."""
        ...


@dataclass(frozen=True)
class Asked:
    """People who took items that they had not had before the cut.

    Attributes:
        cut: the first second of the events that are to be foretold.
        num_items: N; all of them are ranked but for those that a person had.
        users: (Q,) int64.
        had: for each of them the items before the cut.
        wanted: for each of them the other items from the cut on, one at least.
        warm: (N,) bool: items with an event before the cut.
    """

    cut: int
    num_items: int
    users: np.ndarray
    had: list[np.ndarray]
    wanted: list[np.ndarray]
    warm: np.ndarray

    @property
    def events(self) -> np.ndarray:
        """(Q,) number of events that each person had before the cut."""
        return np.array([len(items) for items in self.had], dtype=np.int64)

    def of(self, places: np.ndarray) -> Asked:
        """Some of the people, by place."""
        had, wanted = ([one[place] for place in places] for one in (self.had, self.wanted))
        return Asked(self.cut, self.num_items, self.users[places], had, wanted, self.warm)

    def told(self) -> str:
        """The protocol, in a sentence."""
        events = sum(len(items) for items in self.wanted)
        return (
            f"one cut by time; all {self.num_items} items ranked for each of {len(self.users)}"
            f" people who took {events} new ones after it, those that they had left out"
        )


def asked_people(
    interactions: Interactions, num_items: int, first: int, end: int | None, *, known: bool
) -> Asked:
    """The people who took something new between two times.

    Args:
        interactions: all events.
        num_items: N.
        first: the cut, in seconds.
        end: the first second that counts no more; None for none.
        known: those with events before the cut, or those without.
    """
    past, later = interactions.between(end=first), interactions.between(first, end)
    select = np.intersect1d if known else np.setdiff1d
    users = select(np.unique(later.user), np.unique(past.user))
    people = people_of(past, later, users)
    warm = np.zeros(num_items, dtype=bool)
    warm[past.item] = True
    return Asked(first, num_items, people.users, people.had, people.wanted, warm)
