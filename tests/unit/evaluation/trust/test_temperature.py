from __future__ import annotations

import numpy as np
import pytest

from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins
from fuseline.evaluation.trust.temperature import (
    BOUNDS,
    brier_score,
    calibration,
    fit_temperature,
    negative_log_likelihood,
)
from fuseline.learning.probabilities import softmax


def drawn(temperature: float, num_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of which those divided by `temperature` are the true ones."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=(20000, num_classes)) * 1.5
    noise = generator.gumbel(size=true.shape)
    return (true * temperature).astype(np.float32), (true + noise).argmax(-1)


def ece(logits: np.ndarray, labels: np.ndarray) -> float:
    return expected_calibration_error(reliability_bins(softmax(logits), labels, 15))


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found_and_the_error_falls(temperature, num_classes):
    found = fit_temperature(*drawn(temperature, num_classes, seed=0))
    assert found == pytest.approx(temperature, rel=0.04)
    logits, labels = drawn(temperature, num_classes, seed=1)
    assert ece(logits / found, labels) < 0.012
    if temperature != 1.0:
        assert ece(logits / found, labels) < 0.3 * ece(logits, labels)
        assert negative_log_likelihood(logits / found, labels) < (
            negative_log_likelihood(logits, labels)
        )


def test_two_fits_give_one_temperature():
    logits, labels = drawn(2.0, 3, seed=0)
    assert fit_temperature(logits, labels) == fit_temperature(logits.copy(), labels.copy())


def test_the_optimum_of_two_rows_is_the_closed_one():
    """Three of four rows right at a margin m: the best confidence is 3/4, m / T = log 3."""
    logits = np.array([[4.0, 0.0]] * 4, dtype=np.float32)
    found = fit_temperature(logits, np.array([0, 0, 0, 1]))
    assert found == pytest.approx(4.0 / np.log(3), rel=1e-4)


@pytest.mark.parametrize(
    ("labels", "expected"), [([0], BOUNDS[0]), ([1], BOUNDS[1])], ids=["right", "wrong"]
)
def test_a_single_row_goes_to_a_bound(labels, expected):
    found = fit_temperature(np.array([[3.0, 0.0]], dtype=np.float32), np.array(labels))
    assert found == pytest.approx(expected, rel=1e-3)


def test_without_rows_or_with_one_class_nothing_changes():
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) == 1.0
    found = fit_temperature(np.full((5, 1), 7.0), np.zeros(5, dtype=np.int64))
    assert BOUNDS[0] <= found <= BOUNDS[1]


def test_scores_of_probabilities_are_the_closed_ones():
    logits = np.log(np.array([[0.75, 0.25], [0.5, 0.5]]))
    labels = np.array([0, 1])
    found, bins = calibration(logits, np.exp(logits), labels, 10)
    assert found["nll"] == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2)
    assert found["brier"] == pytest.approx((2 * 0.25**2 + 2 * 0.5**2) / 2)
    assert sum(one["count"] for one in bins) == 2
    assert brier_score(np.array([[0.0, 1.0]]), np.array([0])) == 2.0


def test_a_saturated_model_has_finite_figures():
    logits = np.array([[1e4, 0.0], [0.0, 1e4]], dtype=np.float32)
    found, _ = calibration(logits, softmax(logits), np.array([1, 1]), 5)
    assert np.isfinite(list(found.values())).all()
    assert np.isfinite(fit_temperature(logits, np.array([1, 1])))
