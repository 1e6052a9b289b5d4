"""Selective prediction: to answer only where the confidence is high enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Metrics are written with so many digits, and whoever applies a threshold reads it there.
DIGITS = 6
# No confidence reaches it: nothing is answered.
NEVER = 1.0 + 10.0**-DIGITS
# Of the curve that is drawn; a small split has fewer.
MAX_POINTS = 200


@dataclass(frozen=True)
class RiskCoverage:
    """What is wrong among the surest rows.

    Attributes:
        thresholds: (M,) distinct confidences, falling; rows at or above one are answered.
        coverage: (M,) share of the N rows that are answered.
        risk: (M,) share of the answered rows that are wrong.
        aurc: area under risk over coverage.
    """

    thresholds: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray
    aurc: float

    def points(self) -> list[dict[str, float]]:
        """The curve, at most `MAX_POINTS` of it at even steps, both ends among them."""
        last = len(self.thresholds) - 1
        kept = np.unique(np.linspace(0, last, min(MAX_POINTS, last + 1)).round().astype(int))
        return [
            {
                "coverage": float(self.coverage[place]),
                "risk": float(self.risk[place]),
                "threshold": float(self.thresholds[place]),
            }
            for place in kept
        ]


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> RiskCoverage:
    """The risk–coverage curve and its area (Geifman & El-Yaniv 2017, arXiv 1705.08500).

    The area is the mean risk of the n surest rows over n = 1 … N. Rows of equal confidence have
    no order: the area is the mean over all of theirs.

    Args:
        confidence: (N,), N at least 1.
        right: (N,) bool.
    """
    thresholds, group, count = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, ~right)
    answered = count.cumsum()
    errors = np.repeat(wrong / count, count).cumsum()
    return RiskCoverage(
        thresholds=-thresholds,
        coverage=answered / len(right),
        risk=wrong.cumsum() / answered,
        aurc=float((errors / np.arange(1, len(right) + 1)).mean()),
    )


def choose_threshold(confidence: np.ndarray, right: np.ndarray, target_risk: float) -> float:
    """The lowest threshold, hence the highest coverage, whose risk is at most the target;
    `NEVER` where none is, or without rows.

    The risk is that of these rows: on others it may come out higher, the more so the fewer rows
    it was chosen by.
    """
    if not len(right):
        return NEVER
    curve = risk_coverage(confidence, right)
    allowed = np.flatnonzero(curve.risk <= target_risk)
    if not len(allowed):
        return NEVER
    # Rounded down, so that the rows it was chosen for pass it as it is written.
    scale = 10.0**DIGITS
    return math.floor(float(curve.thresholds[allowed[-1]]) * scale) / scale


def at_threshold(confidence: np.ndarray, right: np.ndarray, threshold: float) -> dict[str, float]:
    """`coverage` and `risk` of N rows; both 0 where nothing is answered."""
    answered = confidence >= threshold
    wrong = int((answered & ~right).sum())
    return {
        "coverage": float(answered.sum() / max(len(right), 1)),
        "risk": wrong / max(int(answered.sum()), 1),
    }
