from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from fuseline.evaluation.trust.calibration import expected_calibration_error, reliability_bins
from fuseline.evaluation.trust.intervals import (
    Figures,
    bootstrap,
    ece_score,
    macro_f1_score,
    task_scores,
)
from fuseline.evaluation.trust.shares import share_interval
from fuseline.learning.probabilities import softmax
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
    found = macro_f1_score(labels, predictions, 4)(every)
    assert found["macro_f1"] == pytest.approx(scores(labels, predictions, 4)["macro_f1"])
    bins = reliability_bins(softmax(logits), labels, 10)
    assert ece_score(softmax(logits), labels, 10)(every)["ece"] == pytest.approx(
        expected_calibration_error(bins)
    )


@pytest.mark.parametrize(("count", "total"), [(300, 400), (20, 400), (3, 17), (21, 22)])
def test_the_interval_of_a_share_is_wilsons(count, total):
    """Where the normal approximation to the score test has its roots."""
    share, z = count / total, norm.ppf(0.975)
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    found = share_interval(count, total)
    assert found["low"] == pytest.approx(centre - half)
    assert found["high"] == pytest.approx(centre + half)


@pytest.mark.parametrize("total", [1, 2, 5, 9, 22, 289, 10_000])
def test_none_and_all_of_some_rows_have_a_width(total):
    none, every = share_interval(0, total), share_interval(total, total)
    assert none["low"] == 0.0
    assert every["high"] == 1.0
    assert none["high"] == pytest.approx(1 - every["low"])
    # About the rule of three: as many of N may be wrong where none was seen.
    assert none["high"] > 2.9 / (total + 4)


def test_of_no_rows_nothing_is_known():
    assert share_interval(0, 0) == {"low": 0.0, "high": 1.0}


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("total", [22, 100])
def test_an_interval_of_a_share_holds_the_truth_about_as_often_as_it_says(total, share):
    counts = np.arange(total + 1)
    found = [share_interval(int(count), total) for count in counts]
    held = [one["low"] <= share <= one["high"] for one in found]
    assert binom.pmf(counts[held], total, share).sum() > 0.92


@pytest.mark.parametrize("num_rows", [1, 22, 120])
@pytest.mark.parametrize("right", [True, False])
def test_a_figure_of_0_or_1_in_every_resample_has_a_width(num_rows, right):
    """All resamples of rows without an error are without one."""
    labels = np.arange(num_rows) % 3
    predictions = labels if right else (labels + 1) % 3
    found = intervals(macro_f1_score(labels, predictions, 3), num_rows, num_resamples=50)
    assert found["macro_f1"] == share_interval(num_rows * right, num_rows)
    assert found["macro_f1"]["high"] - found["macro_f1"]["low"] > 2.9 / (num_rows + 4)


def test_the_interval_of_macro_f1_agrees_with_resampled_rows():
    labels, predictions = drawn(120, 1)
    score = macro_f1_score(labels, predictions, 3)
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
    figures = Figures(
        num_rows,
        {"accuracy": (int(correct.sum()), num_rows)},
        lambda rows: {
            **macro_f1_score(labels, labels, num_classes)(rows),
            **ece_score(probabilities, labels, 15)(rows),
        },
    )
    found, values = figures.intervals(num_resamples=60, seed=0), figures.values()
    assert set(found) == set(values) == {"accuracy", "macro_f1", "ece"}
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
    found = intervals(macro_f1_score(labels, constant, 3), 50)
    assert 0 < found["macro_f1"]["low"] < found["macro_f1"]["high"] < 1


def test_intervals_hang_on_the_seed_alone():
    score = macro_f1_score(*drawn(50, 0), 3)
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
