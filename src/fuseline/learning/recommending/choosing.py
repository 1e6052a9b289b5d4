"""How the trend is counted, and how much what a person takes counts beside it, and what goes with
that: by the lists of the development events.

Shapes: Q people, N items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from fuseline.data.trend import RATES
from fuseline.learning.recommending.lists import best_items, ndcg
from fuseline.learning.recommending.neighbours import Neighbours
from fuseline.learning.recommending.people import People
from fuseline.learning.recommending.scorer import Scorer

TOP = 10
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 4.0, 10.0)
TREND_SHARES = (0.0, 0.1, 0.3)
# Strengths of the neighbours' penalty, and what they count beside logarithms of rates.
STRENGTHS = (10.0, 30.0, 100.0, 300.0, 1000.0)
NEIGHBOURS = (1.0, 3.0, 10.0, 30.0, 100.0)
# The share by which ways to count are compared.
MIDDLE = 0.5
NUM_WAYS = 5
BLOCK = 256


@dataclass(frozen=True)
class Weights:
    """How parts of a score count.

    Attributes:
        bias: (N,) of the trend.
        share: of the towers' products.
        trend_share: of the bias.
        neighbours: of the items, None for none.
        neighbour_share: what these count.
    """

    bias: np.ndarray
    share: float
    trend_share: float = 1.0
    neighbours: Neighbours | None = None
    neighbour_share: float = 0.0


class Chosen(NamedTuple):
    """What the lists chose: names of the trend's ways, the best first; and what their mean, the
    person's vector and neighbours by a `neighbour_strength` count."""

    trend: list[str]
    trend_share: float
    person_share: float
    neighbour_strength: float
    neighbour_share: float


def choose_weights(model: Any, scorer_of: Callable[[], Scorer], people: People) -> Chosen:
    """Give the head of a model the ways to count the trend, and the shares of this, of the person
    and of items that go with the history's, whose lists are best; of equal ones the first.

    A likelihood of all events would choose for the many items that are taken once, and a list has
    ten places. Which way is best changes from week to week; the mean of several is never far from
    it. One after the other is chosen, so that few lists are made; the person's share once more
    later on, since neighbours say part of the same.

    Args:
        model: of recommendations, in evaluation mode, trained and its items encoded.
        scorer_of: gives its scores as of the development events' start.
        people: of these events.
    """
    head = model.heads[0]
    head.weigh([0], 1.0)
    head.listen(1.0, 0.0)
    scorer = scorer_of()
    ways = scorer.trend[:, : len(RATES)].numpy()
    gains = _gains(scorer, people, [Weights(rate, MIDDLE) for rate in ways.T])
    best = np.argsort([-gain for gain in gains], kind="stable")[:NUM_WAYS]
    mean = ways[:, best].mean(1)
    kept = _best(scorer, people, [Weights(mean, share) for share in SHARES])
    strength = 1.0
    for one in STRENGTHS:
        found = scorer.find_neighbours(one)
        tried = [replace(kept, neighbours=found, neighbour_share=share) for share in NEIGHBOURS]
        better = _best(scorer, people, [kept, *tried])
        strength = strength if better is kept else one
        kept = better
    kept = _best(scorer, people, [kept, *(replace(kept, share=share) for share in SHARES)])
    kept = _best(scorer, people, [kept, *(replace(kept, trend_share=one) for one in TREND_SHARES)])
    head.weigh(best.tolist(), kept.share, kept.trend_share)
    head.listen(strength, kept.neighbour_share)
    return Chosen(
        [RATES[way] for way in best],
        kept.trend_share,
        kept.share,
        strength,
        kept.neighbour_share,
    )


def _best(scorer: Scorer, people: People, asked: Sequence[Weights]) -> Weights:
    return asked[int(np.argmax(_gains(scorer, people, asked)))]


def _gains(scorer: Scorer, people: People, asked: Sequence[Weights]) -> list[float]:
    """Mean NDCG@10 of lists by each of some weights."""
    found = [0.0] * len(asked)
    for start in range(0, len(people.users), BLOCK):
        block = people.of(slice(start, start + BLOCK))
        with torch.inference_mode():
            products = (scorer.people(block.users) @ scorer.vectors.T).numpy()
        history = scorer.histories(block.users)[0]
        said: dict[int, np.ndarray] = {}
        for place, one in enumerate(asked):
            scores = one.share * products + one.trend_share * one.bias
            if one.neighbours is not None:
                key = id(one.neighbours)
                said[key] = said[key] if key in said else one.neighbours.scores(history)
                scores += np.float32(one.neighbour_share) * said[key]
            lists = best_items(scores, block.had, min(TOP, products.shape[1]))
            found[place] += float(ndcg(lists, block.wanted).sum())
    return [gain / max(1, len(people.users)) for gain in found]
