"""How the trend is counted, and how much what a person takes counts beside it: by the lists of the
development events.

Shapes: Q people, N items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from fuseline.data.trend import RATES
from fuseline.learning.recommending.lists import best_items, ndcg
from fuseline.learning.recommending.people import People
from fuseline.learning.recommending.scorer import Scorer

TOP = 10
SHARES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
# The share by which ways to count are compared.
MIDDLE = 0.5
NUM_WAYS = 5
BLOCK = 256


def choose_trend(
    model: Any, scorer_of: Callable[[], Scorer], people: People
) -> tuple[list[str], float]:
    """Give the head of a model the ways to count the trend, and the person's share, whose lists
    are best; of equal ones the first.

    A likelihood of all events would choose for the many items that are taken once, and a list has
    ten places. Which way is best changes from week to week; the mean of several is never far from
    it.

    Args:
        model: of recommendations, in evaluation mode, trained and its items encoded.
        scorer_of: gives its scores as of the development events' start.
        people: of these events.

    Returns:
        The ways' names, the best first, and the share.
    """
    head = model.heads[0]
    head.weigh([0], 1.0)
    scorer = scorer_of()
    ways = scorer.trend[:, : len(RATES)].numpy()
    gains = _gains(scorer, people, [(rate, MIDDLE) for rate in ways.T])
    best = np.argsort([-gain for gain in gains], kind="stable")[:NUM_WAYS]
    mean = ways[:, best].mean(1)
    shares = _gains(scorer, people, [(mean, share) for share in SHARES])
    share = SHARES[int(np.argmax(shares))]
    head.weigh(best.tolist(), share)
    return [RATES[way] for way in best], share


def _gains(
    scorer: Scorer, people: People, asked: Sequence[tuple[np.ndarray, float]]
) -> list[float]:
    """Mean NDCG@10 of each of some biases (N,) with a share of the towers' products."""
    found = [0.0] * len(asked)
    for start in range(0, len(people.users), BLOCK):
        block = people.of(slice(start, start + BLOCK))
        with torch.inference_mode():
            products = (scorer.people(block.users) @ scorer.vectors.T).numpy()
        for place, (bias, share) in enumerate(asked):
            count = min(TOP, products.shape[1])
            lists = best_items(share * products + bias, block.had, count)
            found[place] += float(ndcg(lists, block.wanted).sum())
    return [gain / max(1, len(people.users)) for gain in found]
