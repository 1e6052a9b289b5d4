"""Temperature scaling, and scores of probabilities."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from fuseline.evaluation.trust.calibration import (
    Bin,
    expected_calibration_error,
    reliability_bins,
)

# Within them the temperature is sought: rows that are all right would ask for 0.
BOUNDS = (0.1, 10.0)
UNCHANGED = 1.0


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature T within `BOUNDS` whose probabilities `softmax(logits / T)` have the least
    negative log-likelihood (Guo et al. 2017, arXiv 1706.04599).

    It never changes which class is the likeliest. Without rows it is 1. The likelihood is convex
    in 1 / T, so a bounded search in one dimension finds the optimum.

    Args:
        logits: (N, C) of rows that the model did not learn from.
        labels: (N,) int64.
    """
    if not len(labels):
        return UNCHANGED

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits / np.exp(log_temperature), labels)

    found = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over N rows of logits (N, C), in nats."""
    log_probabilities = log_softmax(logits.astype(np.float64), axis=-1)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance between probabilities (N, C) and the right class, from 0 to 2 (Brier
    1950)."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    squares = np.einsum("nc,nc->n", probabilities, probabilities, dtype=np.float64)
    return float((squares - 2 * own + 1).mean())


def calibration(
    logits: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, num_bins: int
) -> tuple[dict[str, float], list[Bin]]:
    """`ece`, `nll` and `brier` of N rows, and their bins of confidence.

    Args:
        logits: (N, C).
        probabilities: (N, C), the logits' own.
        labels: (N,) int64.
        num_bins: at least 2.
    """
    bins = reliability_bins(probabilities, labels, num_bins)
    figures = {
        "ece": expected_calibration_error(bins),
        "nll": negative_log_likelihood(logits, labels),
        "brier": brier_score(probabilities, labels),
    }
    return figures, bins
