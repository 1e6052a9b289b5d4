from __future__ import annotations

import numpy as np
import pytest

from fuseline.evaluation.trust.selective import (
    MAX_POINTS,
    NEVER,
    at_threshold,
    choose_threshold,
    risk_coverage,
)
from fuseline.pipeline.metrics_file import read_metrics, write_metrics


def test_the_area_of_a_perfect_ranking_is_the_closed_one():
    right = np.array([True] * 7 + [False] * 3)
    found = risk_coverage(np.linspace(1.0, 0.5, 10), right)
    assert found.aurc == pytest.approx(np.mean([max(0, n - 7) / n for n in range(1, 11)]))
    assert found.coverage.tolist() == pytest.approx(np.arange(1, 11) / 10)
    assert found.risk[6] == 0.0
    assert found.risk[-1] == pytest.approx(0.3)


def test_the_worst_ranking_has_a_larger_area_than_the_perfect_one():
    right = np.array([True] * 7 + [False] * 3)
    confidence = np.linspace(1.0, 0.5, 10)
    perfect, worst = risk_coverage(confidence, right), risk_coverage(confidence, right[::-1])
    assert perfect.aurc < 0.3 < worst.aurc


@pytest.mark.parametrize("right", [[True, False, False, True], [False, False, True, True]])
def test_rows_of_equal_confidence_have_no_order(right):
    """Their area is the mean over all orders: the risk is one half at every coverage."""
    found = risk_coverage(np.full(4, 0.8), np.array(right))
    assert found.aurc == pytest.approx(0.5)
    assert (found.thresholds.tolist(), found.coverage.tolist()) == ([0.8], [1.0])


def test_the_area_hangs_on_no_order_of_rows():
    generator = np.random.default_rng(0)
    confidence, right = generator.integers(0, 5, 50) / 5, generator.random(50) < 0.7
    order = generator.permutation(50)
    first, second = risk_coverage(confidence, right), risk_coverage(confidence[order], right[order])
    assert first.aurc == pytest.approx(second.aurc)


@pytest.mark.parametrize("target", [0.02, 0.1, 0.25])
def test_a_threshold_keeps_the_target_risk_where_it_was_chosen(target):
    generator = np.random.default_rng(1)
    confidence = generator.uniform(0.5, 1.0, 2000)
    right = generator.random(2000) < confidence
    threshold = choose_threshold(confidence, right, target)
    found = at_threshold(confidence, right, threshold)
    assert 0 < found["coverage"] <= 1
    assert found["risk"] <= target
    # Any further row that is wrong would be one too many: no higher coverage keeps the target.
    lower = [t for t in confidence if t < threshold]
    assert all(at_threshold(confidence, right, t)["risk"] > target for t in lower[:50])


def test_a_model_that_is_always_right_answers_everything():
    confidence = np.array([0.9, 0.4, 0.6])
    threshold = choose_threshold(confidence, np.ones(3, dtype=bool), 0.05)
    assert threshold == 0.4
    assert at_threshold(confidence, np.ones(3, dtype=bool), threshold) == {
        "coverage": 1.0,
        "risk": 0.0,
    }


def test_where_no_threshold_keeps_the_target_nothing_is_answered():
    confidence, wrong = np.ones(3, dtype=np.float32), np.zeros(3, dtype=bool)
    assert choose_threshold(confidence, wrong, 0.05) == NEVER
    assert at_threshold(confidence, wrong, NEVER) == {"coverage": 0.0, "risk": 0.0}
    assert choose_threshold(np.zeros(0), np.zeros(0, dtype=bool), 0.05) == NEVER


def test_thresholds_are_the_same_once_written(tmp_path):
    """Whoever applies one reads it in the metrics, rounded."""
    confidence = np.array([0.91234559, 0.95, 0.99])
    right = np.ones(3, dtype=bool)
    chosen = choose_threshold(confidence, right, 0.05)
    write_metrics(tmp_path / "m.json", {"chosen": chosen, "never": NEVER}, headline=[])
    written = read_metrics(tmp_path / "m.json")
    assert written == {"chosen": chosen, "never": NEVER}
    assert at_threshold(confidence, right, written["chosen"])["coverage"] == 1.0
    assert written["never"] > 1.0


def test_a_long_curve_is_drawn_by_some_of_its_points():
    generator = np.random.default_rng(2)
    found = risk_coverage(generator.random(5000), generator.random(5000) < 0.5)
    points = found.points()
    assert len(points) == MAX_POINTS
    assert points[-1]["coverage"] == 1.0
    assert points[0]["coverage"] == 1 / 5000
    assert len(risk_coverage(np.array([0.5]), np.array([True])).points()) == 1
