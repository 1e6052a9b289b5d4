"""From which probability on a row is best taken for a label, for each label by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import precision_recall_curve

from fuseline.evaluation.trust.selective import DIGITS

# Of a label that no development row has.
HALF = 0.5
Figures = dict[str, float]


def label_thresholds(
    dev: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    names: Sequence[str],
) -> dict[str, Figures]:
    """By label the `threshold` that gives the largest F1 on the development rows, and `precision`,
    `recall` and `f1` that it gives on the test rows.

    Labels are taken one by one, so that a row may pass none or several: it is for who asks of one
    label alone, a rare one above all, whose probability seldom is the largest.

    Args:
        dev: probabilities (M, C) and labels (M,) int64 of rows to choose by; M may be 0.
        test: the same of N other rows.
        names: the C labels.
    """
    return {name: _of_label(place, dev, test) for place, name in enumerate(names)}


def _of_label(
    place: int, dev: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> Figures:
    threshold = _best(dev[0][:, place].astype(np.float64), dev[1] == place)
    found, actual = test[0][:, place] >= threshold, test[1] == place
    hits = int((found & actual).sum())
    return {
        "threshold": threshold,
        "precision": hits / max(int(found.sum()), 1),
        "recall": hits / max(int(actual.sum()), 1),
        "f1": 2 * hits / max(int(found.sum() + actual.sum()), 1),
    }


def _best(probabilities: np.ndarray, actual: np.ndarray) -> float:
    if not actual.any():
        return HALF
    precision, recall, thresholds = precision_recall_curve(actual, probabilities)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    # Rounded down, so that the rows it was chosen by pass it as it is written.
    scale = 10.0**DIGITS
    return math.floor(float(thresholds[int(f1[:-1].argmax())]) * scale) / scale
