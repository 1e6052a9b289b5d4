"""Split conformal prediction: sets of labels that hold the right one as often as was asked for.

Shapes: N rows, C classes.
"""

from __future__ import annotations

import math

import numpy as np

# The set of every label: too few rows promise nothing less.
EVERYTHING = 1.0


def conformal_quantile(probabilities: np.ndarray, labels: np.ndarray, coverage: float) -> float:
    """How improbable a label may be and still stand in a prediction set: the `ceil((N + 1) *
    coverage)`-th smallest of the rows' scores, `1 -` the probability of the right label (Sadinle
    et al. 2019, arXiv 1609.00451; Angelopoulos & Bates 2021, arXiv 2107.07511).

    Of further rows drawn like these, the sets of a share of at least `coverage` hold the label, on
    average over draws. With fewer rows than that can be said of, the sets are of every label.

    Args:
        probabilities: (N, C) of rows that the model did not learn from.
        labels: (N,) int64.
        coverage: in (0, 1).
    """
    rows = len(labels)
    rank = math.ceil((rows + 1) * coverage)
    if rank > rows:
        return EVERYTHING
    scores = 1.0 - probabilities[np.arange(rows), labels].astype(np.float64)
    return float(np.sort(scores)[rank - 1])


def prediction_sets(probabilities: np.ndarray, quantile: float) -> np.ndarray:
    """(N, C) bool, the labels of each row's set; the likeliest is always among them.

    Args:
        probabilities: (N, C).
        quantile: as `conformal_quantile` gives it.
    """
    inside = 1.0 - probabilities.astype(np.float64) <= quantile
    inside[np.arange(len(inside)), probabilities.argmax(-1)] = True
    return np.asarray(inside)


def set_figures(sets: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """`coverage`, the share of rows whose set (N, C) holds the label (N,), `mean_size`, and
    `single`, the share of sets of one label; zeros without rows."""
    if not len(sets):
        return {"coverage": 0.0, "mean_size": 0.0, "single": 0.0}
    sizes = sets.sum(-1)
    return {
        "coverage": float(sets[np.arange(len(labels)), labels].mean()),
        "mean_size": float(sizes.mean()),
        "single": float((sizes == 1).mean()),
    }
