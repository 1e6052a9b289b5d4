"""How long a one-sided CUSUM runs before it crosses its limit, by a Markov chain.

S_t = max(0, S_{t-1} + v_t - k) with independent scores v_t of any distribution, and an alarm where
S_t >= h (Page 1954, Biometrika 41). The chain is that of Brook and Evans (1972, Biometrika 59): the
interval from 0 to h in M states, of which the first also takes what falls below 0. Its expected
number of steps, from 0 on, is the average run length.

Deviation: scores are discrete here, as counts are, so cells' probabilities are differences of a
cumulative sum of them, not of a normal distribution function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# States of the chain; of normal scores 100 give three digits.
STATES = 250
# A limit is searched for up to so many units, and so closely.
LARGEST_LIMIT = 200.0
CLOSENESS = 1e-3


@dataclass(frozen=True)
class Scores:
    """Scores of one window: values (V,) float64, rising, and their probabilities (V,)."""

    values: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def mixed(cls, parts: list[Scores]) -> Scores:
        """Scores of one of several kinds of window, each as likely."""
        values = np.concatenate([part.values for part in parts])
        probabilities = np.concatenate([part.probabilities for part in parts]) / len(parts)
        order = np.argsort(values, kind="stable")
        return cls(values[order], probabilities[order])


def run_length(scores: Scores, allowance: float, limit: float, states: int = STATES) -> float:
    """Average windows up to and with the one that crosses the limit, from 0 on.

    Args:
        scores: of a window.
        allowance: k, above 0.
        limit: h, above 0.
        states: M of the chain.
    """
    width = 2 * limit / (2 * states - 1)
    centres = width * np.arange(states)
    upper = np.concatenate([[0.0], np.cumsum(scores.probabilities)])
    edges = width * (np.arange(states) + 0.5)
    # From state i to below edge j: what is left of the score is less than their distance.
    needed = edges[None, :] - centres[:, None] + allowance
    below = upper[np.searchsorted(scores.values, needed, side="left")]
    moves = np.diff(below, axis=1, prepend=0.0)
    try:
        steps = float(np.linalg.solve(np.eye(states) - moves, np.ones(states))[0])
    except np.linalg.LinAlgError:
        steps = np.inf
    # Longer runs than float64 tells from endless ones come out with any sign.
    return steps if steps > 0 else np.inf


def limit_for(scores: Scores, allowance: float, wanted: float, states: int = STATES) -> float:
    """The least limit, closely, whose average run length is as long as wanted.

    Args:
        scores: of a window in control.
        allowance: k, above 0.
        wanted: windows.
        states: M of the chain.
    """
    low, high = 0.0, 1.0
    while high < LARGEST_LIMIT and run_length(scores, allowance, high, states) < wanted:
        low, high = high, 2 * high
    while high - low > CLOSENESS:
        middle = (low + high) / 2
        if run_length(scores, allowance, middle, states) < wanted:
            low = middle
        else:
            high = middle
    return high
