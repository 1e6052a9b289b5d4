"""Figures of lists: by person, and over all of them.

Shapes: Q people asked, N items, K places of a list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuseline.evaluation.recommendation.protocol import Asked, Scorer
from fuseline.learning.recommending.lists import best_items, ndcg

# Places of the lists that are shown to people, and of those that a later stage would rank anew.
SHORT, LONG = 10, 50
BLOCK_SCORES = 2**23


@dataclass(frozen=True)
class Lists:
    """What a scorer gives the people who are asked.

    Attributes:
        asked: they.
        items: (Q, K) row numbers, the best first; K is `LONG`, or N where that is less.
    """

    asked: Asked
    items: np.ndarray

    def by_person(self) -> dict[str, np.ndarray]:
        """(Q,) of each figure: `ndcg_at_10`, `recall_at_10` and `recall_at_50` (shares of the
        wanted items), `mrr` (the inverse place of the first wanted item within the list, 0 without
        any), `hit_rate_at_10`."""
        short = self.items[:, :SHORT]
        hits = np.array(
            [
                np.isin(one, wanted)
                for one, wanted in zip(self.items, self.asked.wanted, strict=True)
            ]
        ).reshape(self.items.shape)
        counts = np.array([len(wanted) for wanted in self.asked.wanted]).clip(min=1)
        first = np.where(hits.any(1), hits.argmax(1) + 1, np.inf)
        return {
            "ndcg_at_10": ndcg(short, self.asked.wanted),
            "recall_at_10": hits[:, :SHORT].sum(1) / counts,
            "recall_at_50": hits.sum(1) / counts,
            "mrr": 1.0 / first,
            "hit_rate_at_10": hits[:, :SHORT].any(1).astype(np.float64),
        }

    def over_all(self, popularity: np.ndarray) -> dict[str, float]:
        """Of lists of ten: `coverage`, the share of all items that any holds; `novelty`, the mean
        of -log2 of an item's share of the events (Zhou et al. 2010, PNAS), items without one
        counting as having one; `popularity_lift`, how much more popular the listed items are than
        those that the same people had, as a share of these (Abdollahpouri et al. 2019, arXiv
        1907.13286); `cold_share` of items without an event before the cut.

        Args:
            popularity: (N,) events of the items before the cut.
        """
        short = self.items[:, :SHORT]
        if not len(short):
            return dict.fromkeys(("coverage", "novelty", "popularity_lift", "cold_share"), 0.0)
        shares = popularity.clip(min=1) / max(popularity.sum(), 1)
        had = [popularity[items].mean() for items in self.asked.had if len(items)]
        usual = float(np.mean(had)) if had else 0.0
        listed = float(popularity[short].mean())
        return {
            "coverage": len(np.unique(short)) / self.asked.num_items,
            "novelty": float(-np.log2(shares[short]).mean()),
            "popularity_lift": listed / usual - 1.0 if usual else 0.0,
            "cold_share": float((~self.asked.warm[short]).mean()),
        }


def make_lists(scorer: Scorer, asked: Asked, among: np.ndarray | None = None) -> Lists:
    """The lists of a scorer, block by block.

    Args:
        scorer: of all items.
        asked: whom they are for.
        among: (N,) bool, the items that may be listed; None for all. A person's own are left out.
    """
    count = min(LONG, asked.num_items if among is None else int(among.sum()))
    barred = np.flatnonzero(~among) if among is not None else np.empty(0, dtype=np.int64)
    rows = max(1, BLOCK_SCORES // asked.num_items)
    parts = [np.empty((0, count), dtype=np.int64)]
    for start in range(0, len(asked.users), rows):
        block = slice(start, start + rows)
        left_out = [np.concatenate([items, barred]) for items in asked.had[block]]
        parts.append(best_items(scorer.scores(asked.users[block]), left_out, count))
    return Lists(asked, np.concatenate(parts))


def chance_of_hit(asked: Asked, among: np.ndarray) -> float:
    """Mean recall at ten of a random order of the items that may be listed."""
    return SHORT / max(SHORT, int(among.sum())) if len(asked.users) else 0.0
