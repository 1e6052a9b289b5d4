"""What a model of recommendations has to beat: popularity, and items that go together.

Shapes: Q people, N items, U people in all, E events, K items with enough events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fuseline.data.interactions import DAY, Interactions
from fuseline.evaluation.recommendation.protocol import Scorer

# Of items that EASE compares at least, and at most: a matrix of so many squared is inverted.
LEAST_EVENTS, MOST_ITEMS = 5, 8000


class Popularity:
    """The same for everybody: an item's events, each counted by its age.

    Args:
        past: events that are known.
        num_items: N.
        at: the time, in seconds.
        weight: of an event by its age in days.
    """

    def __init__(
        self,
        past: Interactions,
        num_items: int,
        at: int,
        weight: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        weights = weight((at - past.time) / DAY)
        self._scores = np.bincount(past.item, weights=weights, minlength=num_items)

    def scores(self, users: np.ndarray) -> np.ndarray:
        return np.tile(self._scores.astype(np.float32), (len(users), 1))


class Ease:
    """The linear autoencoder whose items do not predict themselves, in closed form (Steck 2019,
    arXiv 1905.03375).

    Args:
        past: events that are known.
        num_items: N.
        strength: of the L2 penalty, the paper's lambda.
    """

    def __init__(self, past: Interactions, num_items: int, strength: float) -> None:
        shape = (len(past.users), num_items)
        once = sparse.coo_matrix((np.ones(len(past)), (past.user, past.item)), shape).tocsr()
        once.data[:] = 1.0
        counts = np.asarray(once.sum(0)).ravel()
        often = np.argsort(-counts, kind="stable")[:MOST_ITEMS]
        self._compared = np.sort(often[counts[often] >= LEAST_EVENTS])
        self._people = once[:, self._compared].tocsr()
        self._num_items = num_items
        gram = (self._people.T @ self._people).toarray()
        gram[np.diag_indices_from(gram)] += strength
        inverse = np.linalg.inv(gram)
        self._weights = inverse / -np.diag(inverse)
        np.fill_diagonal(self._weights, 0.0)

    def scores(self, users: np.ndarray) -> np.ndarray:
        found = np.zeros((len(users), self._num_items), dtype=np.float32)
        found[:, self._compared] = self._people[users] @ self._weights
        return found


Build = Callable[[Interactions, int, int, float], Scorer]


@dataclass(frozen=True)
class Rival:
    """How a rival is made of the events before a time, and the settings of which the development
    split picks one."""

    build: Build
    settings: tuple[float, ...]


def _within(past: Interactions, num_items: int, at: int, days: float) -> Scorer:
    return Popularity(past, num_items, at, lambda ages: (ages <= days).astype(float))


def _decayed(past: Interactions, num_items: int, at: int, days: float) -> Scorer:
    return Popularity(past, num_items, at, lambda ages: 0.5 ** (ages / days))


def _ease(past: Interactions, num_items: int, at: int, strength: float) -> Scorer:
    del at
    return Ease(past, num_items, strength)


RIVALS: dict[str, Rival] = {
    "popularity": Rival(_within, (float("inf"),)),
    "popularity_7_days": Rival(_within, (7.0,)),
    "popularity_30_days": Rival(_within, (30.0,)),
    "decayed_popularity": Rival(_decayed, (1.0, 2.0, 3.0, 5.0, 7.0, 14.0, 30.0)),
    "ease": Rival(_ease, (30.0, 100.0, 300.0, 1000.0)),
}
