"""The paired test and its interval, against closed forms."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from fuseline.evaluation.stress.paired import paired_figures


def right(both: int, first: int, second: int, neither: int) -> dict[str, np.ndarray]:
    """Rows that both models get right, one of them, or none."""
    return {
        "one": np.repeat([True, True, False, False], [both, first, second, neither]),
        "two": np.repeat([True, False, True, False], [both, first, second, neither]),
    }


def figures(*counts: int, seed: int = 0) -> dict:
    return paired_figures(right(*counts), num_resamples=2000, seed=seed)


def test_the_exact_test_is_the_binomial_one():
    found = figures(50, 3, 12, 10)
    tail = sum(comb(15, k) for k in range(4)) / 2**15
    assert found["p_value"] == pytest.approx(2 * tail)
    assert (found["right_by_one_only"], found["right_by_two_only"], found["rows"]) == (3, 12, 75)
    assert found["difference"] == pytest.approx(9 / 75)


def test_models_that_are_right_on_the_same_rows_do_not_differ():
    found = figures(50, 0, 0, 10)
    assert found["p_value"] == 1.0
    assert found["difference"] == found["interval"]["low"] == found["interval"]["high"] == 0.0


def test_the_interval_is_that_of_pairs_not_of_two_samples():
    """Its deviation is sqrt(((b + c) - (b - c)² / N) / N²): rows on which both agree add none."""
    found = figures(900, 20, 60, 20)
    deviation = np.sqrt((80 - 40**2 / 1000) / 1000**2)
    assert found["interval"]["low"] == pytest.approx(0.04 - 1.96 * deviation, abs=0.002)
    assert found["interval"]["high"] == pytest.approx(0.04 + 1.96 * deviation, abs=0.002)


def test_the_seed_decides_the_draws_alone():
    assert figures(20, 5, 7, 8) == figures(20, 5, 7, 8)
    other = figures(20, 5, 7, 8, seed=1)
    assert other["p_value"] == figures(20, 5, 7, 8)["p_value"]
