"""Lists of the best items, and how good they are.

Shapes: Q people, N items, K places of a list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def best_items(scores: np.ndarray, left_out: Sequence[np.ndarray], count: int) -> np.ndarray:
    """(Q, K) row numbers of the best items, the best first; of equal ones the first row.

    Args:
        scores: (Q, N).
        left_out: for each person row numbers of items that no list is to hold.
        count: K, at most N.
    """
    ranked = np.array(scores, dtype=np.float32)
    for row, items in enumerate(left_out):
        ranked[row, items] = -np.inf
    # Partition alone would choose among equal scores by chance: with the row it is a total order.
    least = -np.partition(-ranked, count - 1, axis=1)[:, count - 1 : count]
    lists = np.empty((len(ranked), count), dtype=np.int64)
    for row, own in enumerate(ranked):
        within = np.flatnonzero(own >= least[row])
        lists[row] = within[np.argsort(-own[within], kind="stable")][:count]
    return lists


def ndcg(lists: np.ndarray, wanted: Sequence[np.ndarray]) -> np.ndarray:
    """(Q,) normalised discounted cumulative gain (Järvelin & Kekäläinen 2002) of lists (Q, K), each
    wanted item gaining 1; the ideal list has as many of them as there are, or as it holds."""
    gains = 1.0 / np.log2(np.arange(2, lists.shape[1] + 2))
    ideal = np.cumsum(gains)
    found = np.zeros(len(lists))
    for row, items in enumerate(wanted):
        hits = np.isin(lists[row], items)
        most = min(len(items), len(gains))
        found[row] = (hits * gains).sum() / ideal[most - 1] if most else 0.0
    return found
