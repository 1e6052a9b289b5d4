from __future__ import annotations

import numpy as np
import pytest

from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins
from fuseline.evaluation.trust.intervals import (
    bootstrap,
    class_scores,
    ece_score,
    robust_scores,
    task_scores,
    together,
)
from fuseline.learning.model.passes import softmax
from fuseline.learning.tasks.ranking import Ranking
from fuseline.learning.tasks.regression import Regression
from fuseline.learning.tasks.scores import scores


def drawn(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, num_rows)  # class 3 never occurs
    noise = generator.integers(0, 3, num_rows)
    return labels, np.where(generator.random(num_rows) < 0.7, labels, noise)


def intervals(score, num_rows: int, seed: int = 0, num_resamples: int = 500) -> dict:
    return bootstrap(score, num_rows, num_resamples=num_resamples, seed=seed)


@pytest.mark.parametrize("num_rows", [1, 7, 200])
def test_figures_of_all_rows_are_those_of_the_metrics(num_rows):
    labels, predictions = drawn(num_rows, 1)
    logits = np.random.default_rng(2).normal(size=(num_rows, 4))
    every = np.arange(num_rows)
    found = class_scores(labels, predictions, 4)(every)
    assert found == pytest.approx(scores(labels, predictions, 4))
    bins = reliability_bins(softmax(logits), labels, 10)
    assert ece_score(softmax(logits), labels, 10)(every)["ece"] == pytest.approx(
        expected_calibration_error(bins)
    )


def test_the_interval_of_accuracy_is_the_binomial_one():
    labels = np.zeros(400, dtype=np.int64)
    predictions = (np.arange(400) >= 300).astype(np.int64)  # accuracy 0.75
    score = class_scores(labels, predictions, 2)
    found = intervals(score, 400, seed=3, num_resamples=2000)["accuracy"]
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert found["low"] == pytest.approx(0.75 - half, abs=0.006)
    assert found["high"] == pytest.approx(0.75 + half, abs=0.006)


def test_the_interval_of_macro_f1_agrees_with_resampled_rows():
    labels, predictions = drawn(120, 1)
    score = class_scores(labels, predictions, 3)
    found = intervals(score, 120, num_resamples=2000)["macro_f1"]
    generator = np.random.default_rng(5)
    values = []
    for _ in range(1000):
        rows = generator.integers(0, 120, 120)
        values.append(scores(labels[rows], predictions[rows], 3)["macro_f1"])
    low, high = np.percentile(values, [2.5, 97.5])
    assert found == {"low": pytest.approx(low, abs=0.02), "high": pytest.approx(high, abs=0.02)}


@pytest.mark.parametrize("num_classes", [1, 2, 40])
@pytest.mark.parametrize("num_rows", [1, 2, 60])
def test_an_interval_holds_its_figure(num_rows, num_classes):
    """Resamples of many rare classes lose some, those of a calibration error gain noise."""
    generator = np.random.default_rng(num_rows)
    labels = generator.integers(0, num_classes, num_rows)
    probabilities = softmax(generator.normal(size=(num_rows, num_classes)))
    correct = generator.random(num_rows) < 0.8
    score = together(
        class_scores(labels, labels, num_classes),
        ece_score(probabilities, labels, 15),
        robust_scores(correct, correct & (generator.random(num_rows) < 0.5)),
    )
    found, values = intervals(score, num_rows, num_resamples=60), score(np.arange(num_rows))
    assert set(found) == {
        *("accuracy", "macro_f1", "ece", "robust_accuracy", "attack_success_rate")
    }
    for name, value in values.items():
        assert found[name]["low"] <= value <= found[name]["high"]
        assert found[name]["low"] >= 0.0
        assert found[name]["high"] <= 1.0


def test_a_calibrated_error_is_held_though_all_resamples_lie_above():
    probabilities = np.tile([0.75, 0.25], (400, 1))
    labels = (np.arange(400) >= 300).astype(np.int64)
    assert intervals(ece_score(probabilities, labels, 10), 400)["ece"]["low"] == pytest.approx(0)


def test_constant_predictions_have_an_interval():
    labels, constant = drawn(50, 0)[0], np.zeros(50, dtype=np.int64)
    found = intervals(class_scores(labels, constant, 3), 50)
    assert 0 < found["macro_f1"]["low"] < found["macro_f1"]["high"] < 1
    everything = class_scores(constant, constant, 3)
    assert intervals(everything, 50)["macro_f1"] == {"low": 1.0, "high": 1.0}


def test_a_model_without_right_rows_has_an_interval():
    nothing = np.zeros(9, dtype=bool)
    found = intervals(robust_scores(nothing, nothing), 9)
    assert found["attack_success_rate"] == {"low": 0.0, "high": 0.0}


def test_robust_figures_are_shares_of_all_and_of_the_right_rows():
    correct = np.array([True, True, True, False])
    standing = np.array([True, False, False, False])
    assert robust_scores(correct, standing)(np.arange(4)) == {
        "robust_accuracy": 0.25,
        "attack_success_rate": pytest.approx(2 / 3),
    }


def test_intervals_hang_on_the_seed_alone():
    score = class_scores(*drawn(50, 0), 3)
    assert intervals(score, 50, seed=4) == intervals(score, 50, seed=4)
    assert intervals(score, 50, seed=4) != intervals(score, 50, seed=5)


def test_other_tasks_have_intervals_of_their_own_scores(make_data):
    generator = np.random.default_rng(0)
    labels = generator.normal(size=40)
    data = make_data(40, labels=labels)
    outputs = labels + generator.normal(size=40) / 10
    task = Regression("price", {"mean": 0.0, "deviation": 1.0})
    found = intervals(task_scores(task, outputs, data), 40)
    assert set(found) == {"rmse", "mae", "r2"}
    assert 0.05 < found["rmse"]["low"] < found["rmse"]["high"] < 0.2


def test_figures_over_users_have_none(make_data):
    """A row that is drawn twice would be ranked against itself."""
    data = make_data(40, labels=np.linspace(0, 1, 40, dtype=np.float32), groups=np.arange(40) // 5)
    task = Ranking("click", {"low": 0.0, "high": 1.0})
    found = intervals(task_scores(task, np.linspace(0, 1, 40), data), 40)
    assert set(found) == {"auc"}
