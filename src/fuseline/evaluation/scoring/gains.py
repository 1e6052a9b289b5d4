"""What each modality adds to the others, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fuseline.evaluation.trust.intervals import Score, differences, macro_f1_score

Gain = dict[str, float]


def modality_gains(
    labels: np.ndarray,
    predicted: np.ndarray,
    without: Mapping[str, np.ndarray],
    num_classes: int,
    *,
    num_resamples: int,
    seed: int,
) -> dict[str, dict[str, Gain]]:
    """By modality, `accuracy` and `macro_f1` of all modalities less those of all but this one.

    Args:
        labels, predicted: (N,) int64 below C.
        without: (N,) predictions by the modality that is gone.
        num_classes: C.
        num_resamples: of the rows, drawn alike for both.
        seed: of the draws.

    Returns:
        Each with the `value` and the ends of its 95 % interval, `low` and `high`.
    """
    whole = _class_score(labels, predicted, num_classes)
    return {
        name: differences(
            whole,
            _class_score(labels, gone, num_classes),
            len(labels),
            num_resamples=num_resamples,
            seed=seed,
        )
        for name, gone in without.items()
    }


def _class_score(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> Score:
    right, macro_f1 = labels == predicted, macro_f1_score(labels, predicted, num_classes)
    return lambda rows: {"accuracy": float(right[rows].mean()), **macro_f1(rows)}
