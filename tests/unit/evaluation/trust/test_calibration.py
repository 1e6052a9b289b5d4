from __future__ import annotations

import numpy as np
import pytest

from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins


def two_class(confidence: list[float]) -> np.ndarray:
    first = np.array(confidence)
    return np.stack([first, 1 - first], axis=-1)


def test_sure_and_right_has_no_error():
    bins = reliability_bins(two_class([1.0] * 5), np.zeros(5, dtype=np.int64), 10)
    assert bins[-1] == {"low": 0.9, "high": 1.0, "count": 5, "confidence": 1.0, "accuracy": 1.0}
    assert expected_calibration_error(bins) == 0.0


def test_sure_and_wrong_has_error_one():
    bins = reliability_bins(two_class([1.0] * 5), np.ones(5, dtype=np.int64), 10)
    assert expected_calibration_error(bins) == 1.0


def test_error_is_the_gap_weighted_by_rows():
    # Four rows at 0.75, of which three right: no gap. Two rows at 0.95, one right: gap 0.45.
    labels = np.array([0, 0, 0, 1, 0, 1])
    bins = reliability_bins(two_class([0.75] * 4 + [0.95] * 2), labels, 10)
    assert expected_calibration_error(bins) == pytest.approx(0.45 * 2 / 6)


def test_a_bin_is_closed_above():
    bins = reliability_bins(two_class([0.8, 0.8001]), np.zeros(2, dtype=np.int64), 5)
    assert [item["count"] for item in bins] == [0, 0, 0, 1, 1]


def test_empty_bins_hold_finite_zeros():
    bins = reliability_bins(two_class([0.9]), np.zeros(1, dtype=np.int64), 15)
    assert len(bins) == 15
    assert sum(item["count"] for item in bins) == 1
    assert all(np.isfinite(list(item.values())).all() for item in bins)


def test_a_calibrated_guesser_has_a_small_error():
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1.0, 20000)
    labels = (generator.random(20000) > confidence).astype(np.int64)
    bins = reliability_bins(two_class(list(confidence)), labels, 15)
    assert expected_calibration_error(bins) < 0.015
