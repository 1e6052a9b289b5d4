"""Split conformal prediction: sets of labels that hold the right one as often as was asked for.

Shapes: N rows, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# The set of every label: too few rows promise nothing less.
EVERYTHING = 1.0
# Rows of a class, or of classes together, that get a quantile of their own: of fewer it would
# hang on a row or two.
MIN_GROUP_ROWS = 30


def conformal_quantiles(
    probabilities: np.ndarray, labels: np.ndarray, coverage: float
) -> list[float]:
    """How improbable each class may be and still stand in a prediction set.

    A quantile for all rows together covers easy classes too often and hard ones too seldom. So a
    class of `MIN_GROUP_ROWS` has its own, and rarer ones share one (label-conditional conformal
    prediction: Vovk 2012, arXiv 1209.2673): what `conformal_quantile` promises holds of the rows
    of each group.

    Args:
        probabilities: (N, C) of rows that the model did not learn from.
        labels: (N,) int64.
        coverage: in (0, 1).
    """
    groups = _groups(np.bincount(labels, minlength=probabilities.shape[1]))
    found = np.full(probabilities.shape[1], EVERYTHING)
    for group in groups:
        rows = np.isin(labels, group)
        found[group] = conformal_quantile(probabilities[rows], labels[rows], coverage)
    return [float(quantile) for quantile in found]


def _groups(counts: np.ndarray) -> list[np.ndarray]:
    """Classes by whom they share a quantile with: the rarest together, until they have enough
    rows."""
    order = np.argsort(counts, kind="stable")
    enough = np.flatnonzero(np.cumsum(counts[order]) >= MIN_GROUP_ROWS)
    shared = max(enough[0] + 1 if len(enough) else len(order), (counts < MIN_GROUP_ROWS).sum())
    return [order[:shared], *(order[place : place + 1] for place in range(shared, len(order)))]


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


def prediction_sets(probabilities: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """(N, C) bool, the labels of each row's set; the likeliest is always among them.

    Args:
        probabilities: (N, C).
        quantiles: of the C classes, as `conformal_quantiles` gives them.
    """
    inside = 1.0 - probabilities.astype(np.float64) <= np.asarray(quantiles)
    inside[np.arange(len(inside)), probabilities.argmax(-1)] = True
    return np.asarray(inside)


def set_figures(sets: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """`coverage`, the share of rows whose set (N, C) holds the label (N,), `class_coverage`, the
    mean of that over the classes that rows are of, `mean_size`, and `single`, the share of sets of
    one label; zeros without rows."""
    if not len(sets):
        return {"coverage": 0.0, "class_coverage": 0.0, "mean_size": 0.0, "single": 0.0}
    sizes, held = sets.sum(-1), sets[np.arange(len(labels)), labels]
    counts, hits = np.bincount(labels), np.bincount(labels[held], minlength=labels.max() + 1)
    return {
        "coverage": float(held.mean()),
        "class_coverage": float((hits[counts > 0] / counts[counts > 0]).mean()),
        "mean_size": float(sizes.mean()),
        "single": float((sizes == 1).mean()),
    }
