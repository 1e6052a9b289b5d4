"""How far a row lies from all that a model learnt from.

Shapes: N rows, M rows of the bank, W width, K neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Rows that are compared with the bank at once.
BLOCK_ROWS = 256
# Between them the distances of known rows are kept.
NUM_QUANTILES = 101


def unit(vectors: np.ndarray) -> np.ndarray:
    """(N, W) float32 of length 1; a vector of zeros stays."""
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)


def nearest(vectors: np.ndarray, bank: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest rows of a bank, nearest first; of equally near ones the first.

    Args:
        vectors: (N, W), unit.
        bank: (M, W), unit.
        count: K; of a smaller bank all.

    Returns:
        (N, K) places in the bank, and (N, K) float32 cosine distances.
    """
    kept = min(count, len(bank))
    places = np.zeros((len(vectors), kept), dtype=np.int64)
    distances = np.zeros((len(vectors), kept), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        apart = 1.0 - vectors[start : start + BLOCK_ROWS] @ bank.T
        found = np.argpartition(apart, kept - 1, axis=1)[:, :kept]
        own = np.take_along_axis(apart, found, axis=1)
        order = np.lexsort((found, own), axis=1)
        block = slice(start, start + len(apart))
        places[block] = np.take_along_axis(found, order, axis=1)
        distances[block] = np.take_along_axis(own, order, axis=1)
    return places, distances


@dataclass(frozen=True)
class Scope:
    """What is known of distances to the K-th nearest training row (Sun et al. 2022, arXiv
    2204.06507).

    Attributes:
        neighbours: K.
        quantiles: distances of development rows at even shares of them, rising; empty without.
        false_refusals: share of these that count as out of scope.
    """

    neighbours: int
    quantiles: list[float]
    false_refusals: float

    @classmethod
    def fitted(cls, distances: np.ndarray, neighbours: int, false_refusals: float) -> Scope:
        """Of the development rows' distances (N,) to their K-th nearest training row."""
        shares = np.linspace(0.0, 1.0, NUM_QUANTILES)
        known = distances.astype(np.float64)
        quantiles = np.quantile(known, shares).tolist() if len(known) else []
        return cls(neighbours, quantiles, false_refusals)

    def scores(self, distances: np.ndarray) -> np.ndarray:
        """(N,) in [0, 1]: the share of development rows that lie nearer to the training rows; 0
        where there were none to compare with."""
        if not self.quantiles:
            return np.zeros(len(distances))
        shares = np.linspace(0.0, 1.0, len(self.quantiles))
        return np.asarray(np.interp(distances, self.quantiles, shares))

    def is_outside(self, scores: np.ndarray) -> np.ndarray:
        """(N,) bool: farther away than all but `false_refusals` of the development rows."""
        return np.asarray(scores > 1.0 - self.false_refusals)
