"""What a model of recommendations has to beat: popularity, and items that go together.

Shapes: Q people, N items, U people in all, E events, K items with enough events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fuseline.data.interactions import DAY, Interactions
from fuseline.evaluation.recommendation.factors import Factors, als, bpr
from fuseline.evaluation.recommendation.protocol import Scorer
from fuseline.learning.recommending.neighbours import item_weights, people_by_items

Setting = dict[str, float]


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
        last: of a person's events, those that speak for items.
    """

    def __init__(
        self, past: Interactions, num_items: int, strength: float, last: float = np.inf
    ) -> None:
        self._compared, self._weights = item_weights(past, num_items, strength)
        latest = people_by_items(past.latest(last), num_items)
        self._people = latest[:, self._compared].tocsr()
        self._num_items = num_items

    def scores(self, users: np.ndarray) -> np.ndarray:
        found = np.zeros((len(users), self._num_items), dtype=np.float32)
        found[:, self._compared] = self._people[users] @ self._weights
        return found


@dataclass(frozen=True)
class Rival:
    """How a rival is made of the events before a time, and the settings of which the development
    split picks one.

    Attributes:
        build: of events, N and the time.
        settings: keywords of `build`.
    """

    build: Callable[..., Scorer]
    settings: tuple[Setting, ...]

    def at(self, interactions: Interactions, num_items: int, cut: int, setting: Setting) -> Scorer:
        """The rival as it is made at a time, of all events; those from then on are not read."""
        return self.build(interactions.between(end=cut), num_items, cut, **setting)


def _within(past: Interactions, num_items: int, at: int, days: float = np.inf) -> Scorer:
    return Popularity(past, num_items, at, lambda ages: (ages <= days).astype(float))


def _decayed(past: Interactions, num_items: int, at: int, half_life_days: float) -> Scorer:
    return Popularity(past, num_items, at, lambda ages: 0.5 ** (ages / half_life_days))


def _ease(past: Interactions, num_items: int, at: int, **setting: float) -> Scorer:
    del at
    return Ease(past, num_items, **setting)


def _als(past: Interactions, num_items: int, at: int, **setting: float) -> Scorer:
    del at
    return Factors(partial(als, **setting), past, num_items)


def _bpr(past: Interactions, num_items: int, at: int, **setting: float) -> Scorer:
    del at
    return Factors(partial(bpr, **setting), past, num_items)


def _every(**values: tuple[float, ...]) -> tuple[Setting, ...]:
    """All combinations, the last name's values changing first."""
    found: list[Setting] = [{}]
    for name, ones in values.items():
        found = [setting | {name: one} for setting in found for one in ones]
    return tuple(found)


RIVALS: dict[str, Rival] = {
    "popularity": Rival(_within, ({},)),
    "popularity_7_days": Rival(_within, _every(days=(7,))),
    "popularity_30_days": Rival(_within, _every(days=(30,))),
    "decayed_popularity": Rival(_decayed, _every(half_life_days=(1, 2, 3, 5, 7, 14, 30))),
    "ease": Rival(_ease, _every(strength=(10, 30, 100, 300, 1000), last=(10, 1000))),
    "als": Rival(_als, _every(factors=(16, 64), weight=(1, 10), penalty=(0.01, 1))),
    "bpr": Rival(_bpr, _every(factors=(16, 32), rate=(0.01, 0.05), penalty=(0.01,))),
}
