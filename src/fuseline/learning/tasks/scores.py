"""Accuracy and F1, all from counts of (actual, predicted) pairs."""

from __future__ import annotations

from typing import Any

import numpy as np


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts (C, C) int64: row is the actual class, column the predicted one."""
    pairs = labels * num_classes + predictions
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share on the diagonal: (..., C, C) to (...); 0 without any row."""
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return _ratio(right, confusion.sum((-2, -1)))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur or are predicted: (..., C, C) to (...); 0 without rows.

    As scikit-learn's `f1_score(average="macro")`: a class that a few rows lack altogether says
    nothing of the model, and would count as if it got all of its rows wrong.
    """
    f1 = _precision_recall_f1(confusion)[2]
    named = (confusion.sum(-2) + confusion.sum(-1)) > 0
    return np.asarray(f1.sum(-1) / np.maximum(named.sum(-1), 1))


def scores(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> dict[str, float]:
    """`accuracy` and `macro_f1` of N predictions."""
    confusion = confusion_matrix(labels, predictions, num_classes)
    return {"accuracy": float(accuracy(confusion)), "macro_f1": float(macro_f1(confusion))}


def per_class(confusion: np.ndarray, names: list[str]) -> dict[str, dict[str, float | int]]:
    """Precision, recall, F1 and support by class name."""
    precision, recall, f1 = _precision_recall_f1(confusion)
    return {
        name: {
            "precision": float(precision[row]),
            "recall": float(recall[row]),
            "f1": float(f1[row]),
            "support": int(confusion[row].sum()),
        }
        for row, name in enumerate(names)
    }


def classification_metrics(
    labels: np.ndarray, predictions: np.ndarray, names: list[str]
) -> dict[str, Any]:
    """All figures that need only labels (N,) and predictions (N,), both int64 below C."""
    confusion = confusion_matrix(labels, predictions, len(names))
    return {
        **scores(labels, predictions, len(names)),
        "per_class": per_class(confusion, names),
        "labels": names,
        "confusion_matrix": confusion.tolist(),
    }


def _precision_recall_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    predicted, actual = confusion.sum(-2), confusion.sum(-1)
    return (
        _ratio(right, predicted),
        _ratio(right, actual),
        _ratio(2 * right, predicted + actual),
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, 0 where `whole` is 0 (and so `part` is)."""
    return np.asarray(part / np.maximum(whole, 1))
