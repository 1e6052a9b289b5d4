"""Items that go with those of a history: the linear autoencoder whose items do not predict
themselves (Steck 2019, arXiv 1905.03375), in closed form.

Shapes: E events, U people, N items, K of them with enough events, M neighbours, Q people asked,
L events of a history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fuseline.data.histories import NOTHING
from fuseline.data.interactions import Interactions

# Of items that are compared at least, and at most: a matrix of so many squared is inverted.
LEAST_EVENTS, MOST_ITEMS = 5, 8000
# M: weights behind these are small.
MOST_NEIGHBOURS = 100


def people_by_items(past: Interactions, num_items: int) -> sparse.csr_matrix:
    """(U, N) float32, 1 where a person took an item once or more."""
    shape = (len(past.users), num_items)
    ones = np.ones(len(past), dtype=np.float32)
    once = sparse.coo_matrix((ones, (past.user, past.item)), shape).tocsr()
    once.data[:] = 1.0
    return once


def item_weights(
    past: Interactions, num_items: int, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """How much each item of a history speaks for each other.

    Args:
        past: events that are known.
        num_items: N.
        strength: of the L2 penalty, the paper's lambda.

    Returns:
        The compared items (K,) int64, and their weights (K, K), of which a row is what an item of
        the history says.
    """
    once = people_by_items(past, num_items)
    counts = np.asarray(once.sum(0)).ravel()
    often = np.argsort(-counts, kind="stable")[:MOST_ITEMS]
    compared = np.sort(often[counts[often] >= LEAST_EVENTS])
    together = once[:, compared]
    gram = (together.T @ together).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += strength
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return compared, weights


@dataclass(frozen=True)
class Neighbours:
    """Of each item those that it speaks for or against most.

    Attributes:
        items: (N, M) int32 row numbers.
        weights: (N, M) float32; 0 behind the last one.
    """

    items: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, past: Interactions, num_items: int, strength: float) -> Neighbours:
        """Those of some events; `item_weights` has the arguments."""
        compared, weights = item_weights(past, num_items, strength)
        count = min(MOST_NEIGHBOURS, len(compared))
        items = np.zeros((num_items, count), dtype=np.int32)
        kept = np.zeros((num_items, count), dtype=np.float32)
        if count:
            best = np.argsort(-np.abs(weights), axis=1, kind="stable")[:, :count]
            items[compared] = compared[best]
            kept[compared] = np.take_along_axis(weights, best, 1)
        return cls(items, kept)

    def scores(self, history: np.ndarray) -> np.ndarray:
        """(Q, N) float32, the sum of what all events of histories (Q, L) say, `NOTHING` behind."""
        num_items, count = self.items.shape
        starts = np.arange(num_items + 1) * count
        says = sparse.csr_matrix(
            (self.weights.ravel(), self.items.ravel(), starts), (num_items, num_items)
        )
        person, place = np.nonzero(history != NOTHING)
        had = sparse.csr_matrix(
            (np.ones(len(person), dtype=np.float32), (person, history[person, place])),
            (len(history), num_items),
        )
        return np.asarray((had @ says).toarray(), dtype=np.float32)
