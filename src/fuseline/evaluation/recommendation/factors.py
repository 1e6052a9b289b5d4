"""Factors of people and items: what libraries of recommendations offer, as rivals of a model.

Shapes: Q people, N items, U people in all, F factors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from fuseline.data.interactions import Interactions
from fuseline.learning.recommending.neighbours import people_by_items

# Factors are drawn at first; one thread, so that each run finds the same.
SEED, THREADS = 17, 1
ALS_ROUNDS, BPR_ROUNDS = 15, 100


class Factors:
    """Products of a person's factors and an item's; 0 of people without events.

    Args:
        make: a model of the library `implicit`, to be fitted.
        past: events that are known.
        num_items: N.
    """

    def __init__(self, make: Callable[[], Any], past: Interactions, num_items: int) -> None:
        # Factors are drawn for those alone who are known: how many come later changes none.
        known = np.unique(past.user)
        # It looks for threads of others when it is made, too.
        with threadpool_limits(THREADS):
            model = make()
            model.fit(people_by_items(past, num_items)[known], show_progress=False)
        self._items = model.item_factors
        self._people = np.zeros((len(past.users), self._items.shape[1]), dtype=np.float32)
        self._people[known] = model.user_factors

    def scores(self, users: np.ndarray) -> np.ndarray:
        found: np.ndarray = self._people[users] @ self._items.T
        return found.astype(np.float32, copy=False)


def als(*, factors: float, weight: float, penalty: float) -> Any:
    """Alternating least squares on all cells, those with an event weighing more (Hu, Koren and
    Volinsky 2008, ICDM).

    Args:
        factors: F.
        weight: of a cell with an event, the paper's alpha.
        penalty: of L2.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(
        factors=int(factors),
        alpha=weight,
        regularization=penalty,
        iterations=ALS_ROUNDS,
        random_state=SEED,
        num_threads=THREADS,
    )


def bpr(*, factors: float, rate: float, penalty: float) -> Any:
    """Bayesian personalised ranking: an item that a person took above one drawn at random (Rendle
    et al. 2009, UAI, arXiv 1205.2618).

    Args:
        factors: F.
        rate: of stochastic descent.
        penalty: of L2.
    """
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    return BayesianPersonalizedRanking(
        factors=int(factors),
        learning_rate=rate,
        regularization=penalty,
        iterations=BPR_ROUNDS,
        random_state=SEED,
        num_threads=THREADS,
    )
