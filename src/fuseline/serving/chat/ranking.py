"""Entries ranked by their words and by vectors, and the rankings fused.

Shapes: N entries, Q questions, W width of a vector.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fuseline.serving.chat.wording import words

if TYPE_CHECKING:
    from bm25s import BM25


class Words:
    """BM25 over texts (Robertson et al. 1994; in the variant of Lucene, by bm25s, Lù 2024, arXiv
    2407.03618).

    Args:
        texts: N of them, each with a word.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        listed = [words(text) for text in texts]
        self._index = _indexed(listed)
        self._count = len(listed)
        self._holding = Counter(word for one in listed for word in set(one))

    def scores(self, text: str) -> np.ndarray:
        """(N,) float64 in [0, 1): the share of the most that any text could score, to which words
        count that none of them has."""
        asked = words(text)
        known = [word for word in asked if word in self._holding]
        if not known:
            return np.zeros(self._count)
        found = np.asarray(self._index.get_scores(known), dtype=np.float64)
        return found / sum(self._weight(word) for word in asked)

    def telling(self, text: str) -> set[str]:
        """Words of a text that some, but no more than half of the texts hold."""
        return {word for word in words(text) if 0 < 2 * self._holding[word] <= self._count}

    def _weight(self, word: str) -> float:
        """What a word adds at most: its inverse document frequency."""
        holding = self._holding[word]
        return math.log1p((self._count - holding + 0.5) / (holding + 0.5))


def _indexed(listed: list[list[str]]) -> BM25:
    # Imported here: it takes SciPy along, which a server without conversations does without.
    from bm25s import BM25

    # It logs each index that it builds, whatever level its users have set.
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    index = BM25(method="lucene")
    index.index(listed, show_progress=False)
    return index


def ranks(scores: np.ndarray) -> np.ndarray:
    """(N,) places from 1, the highest score first; of equal ones the first."""
    found = np.empty(len(scores), dtype=np.int64)
    found[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return found


def fused(rankings: Sequence[tuple[float, np.ndarray]], constant: int) -> np.ndarray:
    """(N,) by reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, SIGIR): the sum of
    1 / (constant + rank). Theirs has a constant of 60 and no weights.

    Args:
        rankings: weight and scores (N,) of each.
        constant: how little first places are trusted.
    """
    terms = [weight / (constant + ranks(scores)) for weight, scores in rankings if weight]
    return np.asarray(np.sum(terms, axis=0))
