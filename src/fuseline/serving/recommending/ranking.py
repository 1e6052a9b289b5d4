"""The best of many scores, and the best that are unlike one another.

Shapes: N items, P candidates, S width.
"""

from __future__ import annotations

import numpy as np

# Candidates of a diverse list: what lies behind them is not worth its place for being different.
POOL = 300


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """The places (at most `count`,) int64 of the highest scores (N,), the highest first and equal
    ones by their place; minus infinity is not ranked."""
    kept = min(count, len(scores))
    if kept < 1:
        return np.zeros(0, dtype=np.int64)
    lowest = np.partition(scores, len(scores) - kept)[len(scores) - kept]
    places = np.flatnonzero((scores >= lowest) & (scores > -np.inf))
    # `flatnonzero` goes by place, which a stable order keeps.
    return np.asarray(places[np.argsort(-scores[places], kind="stable")][:kept])


def diverse(scores: np.ndarray, vectors: np.ndarray, count: int, diversity: float) -> np.ndarray:
    """The places of a list by maximal marginal relevance (Carbonell and Goldstein 1998): one by
    one, whichever is best by (1 - diversity) x its score - diversity x its largest cosine with
    what is listed. Their lambda is 1 - `diversity`. Scores are no cosines, so they are first
    brought to 0 to 1 over the candidates, which the paper leaves open.

    Args:
        scores: (P,) the highest first.
        vectors: (P, S) of the same candidates.
        count: of the list.
        diversity: 0 (by score alone) to 1 (by difference alone, after the first).
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    spread = float(np.ptp(scores)) if len(scores) else 0.0
    relevance = (scores - scores.min()) / spread if spread else np.zeros(len(scores))
    # The largest cosine so far; of an empty list nothing is like anything.
    nearest = np.zeros(len(scores))
    left = np.ones(len(scores), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(count, len(scores))):
        worth = (1 - diversity) * relevance - diversity * nearest
        place = int(np.argmax(np.where(left, worth, -np.inf)))
        likeness = unit @ unit[place]
        nearest = np.maximum(nearest, likeness) if chosen else likeness
        left[place] = False
        chosen.append(place)
    return np.array(chosen, dtype=np.int64)
