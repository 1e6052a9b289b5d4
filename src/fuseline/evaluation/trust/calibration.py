"""How far confidence and accuracy lie apart."""

from __future__ import annotations

import numpy as np

Bin = dict[str, float | int]


def reliability_bins(probabilities: np.ndarray, labels: np.ndarray, num_bins: int) -> list[Bin]:
    """Rows by confidence, the largest probability of each.

    The bins are `num_bins` equally wide ones over (0, 1], closed above, so that a confidence
    of exactly 1 falls into the last. An empty bin has count, confidence and accuracy 0.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) int64.
        num_bins: at least 2.

    Returns:
        Per bin `low`, `high`, `count`, mean `confidence`, `accuracy`.
    """
    confidence = probabilities.max(-1).astype(np.float64)
    right = (probabilities.argmax(-1) == labels).astype(np.float64)
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    index = bins_of(confidence, num_bins)
    count = np.bincount(index, minlength=num_bins)
    divisor = np.maximum(count, 1)
    mean_confidence = np.bincount(index, confidence, num_bins) / divisor
    mean_right = np.bincount(index, right, num_bins) / divisor
    return [
        {
            "low": float(edges[row]),
            "high": float(edges[row + 1]),
            "count": int(count[row]),
            "confidence": float(mean_confidence[row]),
            "accuracy": float(mean_right[row]),
        }
        for row in range(num_bins)
    ]


def bins_of(confidence: np.ndarray, num_bins: int) -> np.ndarray:
    """(N,) number of the bin, from 0, that each confidence (N,) float64 falls into."""
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, num_bins - 1)


def expected_calibration_error(bins: list[Bin]) -> float:
    """Gap between confidence and accuracy, weighted by rows (Guo et al. 2017, 1706.04599)."""
    total = max(sum(item["count"] for item in bins), 1)
    gaps = (item["count"] * abs(item["confidence"] - item["accuracy"]) for item in bins)
    return float(sum(gaps) / total)
