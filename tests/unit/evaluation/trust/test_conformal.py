import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseline.evaluation.trust.conformal import (
    EVERYTHING,
    conformal_quantile,
    prediction_sets,
    set_figures,
)


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(5, 0.4), size=rows)
    labels = np.array([random.choice(5, p=row) for row in probabilities])
    return probabilities, labels


def test_the_quantile_is_the_asked_rank_of_the_scores():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    labels = np.array([0, 1, 1, 0])
    # Scores 0.1, 0.2, 0.6, 0.7; of five places a share of 0.6 is the third.
    assert conformal_quantile(probabilities, labels, 0.6) == pytest.approx(0.6)
    assert conformal_quantile(probabilities, labels, 0.8) == pytest.approx(0.7)


def test_too_few_rows_promise_every_label():
    probabilities, labels = drawn(8, seed=0)
    assert conformal_quantile(probabilities, labels, 0.9) == EVERYTHING
    assert conformal_quantile(probabilities[:0], labels[:0], 0.9) == EVERYTHING
    assert prediction_sets(probabilities, EVERYTHING).all()


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_of_further_rows_hold_the_label_as_often_as_was_asked(coverage):
    found = []
    for seed in range(40):
        probabilities, labels = drawn(400, seed)
        quantile = conformal_quantile(probabilities[:200], labels[:200], coverage)
        sets = prediction_sets(probabilities[200:], quantile)
        found.append(set_figures(sets, labels[200:])["coverage"])
    assert np.mean(found) == pytest.approx(coverage, abs=0.015)


@given(st.integers(0, 50), st.floats(0.0, 1.0))
def test_a_set_is_never_empty_and_holds_the_likeliest(seed, quantile):
    probabilities, _ = drawn(20, seed)
    sets = prediction_sets(probabilities, quantile)
    assert sets[np.arange(20), probabilities.argmax(-1)].all()


def test_figures_of_sets():
    sets = np.array([[True, False], [True, True]])
    assert set_figures(sets, np.array([1, 1])) == {
        "coverage": 0.5,
        "mean_size": 1.5,
        "single": 0.5,
    }
    assert set_figures(sets[:0], np.array([], dtype=int))["coverage"] == 0.0
