"""The paired test and its interval, against closed forms."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from fuseline.evaluation.stress.paired import paired_figures, paired_interval


def right(both: int, first: int, second: int, neither: int) -> dict[str, np.ndarray]:
    """Rows that both models get right, one of them, or none."""
    return {
        "one": np.repeat([True, True, False, False], [both, first, second, neither]),
        "two": np.repeat([True, False, True, False], [both, first, second, neither]),
    }


def figures(*counts: int) -> dict:
    return paired_figures(right(*counts))


def test_the_exact_test_is_the_binomial_one():
    found = figures(50, 3, 12, 10)
    tail = sum(comb(15, k) for k in range(4)) / 2**15
    assert found["p_value"] == pytest.approx(2 * tail)
    assert (found["right_by_one_only"], found["right_by_two_only"], found["rows"]) == (3, 12, 75)
    assert found["difference"] == pytest.approx(9 / 75)


def test_models_that_are_right_on_the_same_rows_do_not_differ():
    found = figures(50, 0, 0, 10)
    assert found["p_value"] == 1.0
    assert found["difference"] == 0.0
    assert -0.1 < found["interval"]["low"] < 0.0 < found["interval"]["high"] < 0.1


@pytest.mark.parametrize(
    "counts",
    [(22, 0, 0, 0), (0, 0, 0, 22), (0, 22, 0, 0), (0, 0, 22, 0), (18, 4, 0, 0), (0, 0, 4, 18),
     (5, 0, 0, 0), (1, 0, 0, 0), (60, 0, 0, 60)],
)  # fmt: skip
def test_an_interval_has_a_width_whatever_the_rows(counts):
    found = figures(*counts)
    low, high = found["interval"]["low"], found["interval"]["high"]
    assert low <= found["difference"] <= high
    assert -1.0 <= low < high <= 1.0


@pytest.mark.parametrize("counts", [(0, 4, 0, 18), (18, 4, 0, 0), (0, 0, 4, 18), (18, 0, 4, 0)])
def test_four_rows_of_22_are_within_chance_by_test_and_interval(counts):
    """The percentile bootstrap shut 0 out here, though the exact test does not."""
    found = figures(*counts)
    assert found["p_value"] == pytest.approx(0.125)
    assert found["interval"]["low"] < 0 < found["interval"]["high"]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    generator, held = np.random.default_rng(0), 0
    for _ in range(1000):
        drawn = generator.choice(4, size=40, p=[0.6, 0.05, 0.15, 0.2])
        interval = paired_interval(np.isin(drawn, (0, 1)), np.isin(drawn, (0, 2)))
        held += interval["low"] <= 0.1 <= interval["high"]
    assert held > 930


def test_the_interval_is_that_of_pairs_not_of_two_samples():
    """Its deviation is sqrt(((b + c) - (b - c)² / N) / N²): rows on which both agree add none."""
    found = figures(900, 20, 60, 20)
    deviation = np.sqrt((80 - 40**2 / 1000) / 1000**2)
    assert found["interval"]["low"] == pytest.approx(0.04 - 1.96 * deviation, abs=0.002)
    assert found["interval"]["high"] == pytest.approx(0.04 + 1.96 * deviation, abs=0.002)
