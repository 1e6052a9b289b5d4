import numpy as np
import pytest

from fuseline.evaluation.trust.scope import BLOCK_ROWS, Scope, nearest, unit


def test_unit_vectors_have_length_one_and_zeros_stay():
    found = unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert found.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]


def test_nearest_are_those_of_a_full_sort_and_ties_go_to_the_first():
    random = np.random.default_rng(0)
    bank = unit(random.normal(size=(50, 4)))
    bank[7] = bank[3]
    vectors = unit(random.normal(size=(BLOCK_ROWS + 9, 4)))
    vectors[0] = bank[3]
    places, distances = nearest(vectors, bank, 6)
    expected = np.argsort(1.0 - vectors @ bank.T, axis=1, kind="stable")[:, :6]
    assert (np.take_along_axis(1 - vectors @ bank.T, places, 1) == distances).all()
    assert (places == expected).mean() > 0.99
    assert places[0, :2].tolist() == [3, 7]


def test_a_small_bank_gives_all_it_has():
    places, _ = nearest(unit(np.eye(3)), unit(np.eye(3)[:2]), 10)
    assert places.shape == (3, 2)


def test_a_score_is_the_share_of_development_rows_that_lie_nearer():
    scope = Scope.fitted(np.linspace(0.0, 1.0, 201), neighbours=3, false_refusals=0.05)
    scores = scope.scores(np.array([-1.0, 0.25, 0.5, 0.96, 2.0]))
    assert scores == pytest.approx([0.0, 0.25, 0.5, 0.96, 1.0], abs=0.01)
    assert scope.is_outside(scores).tolist() == [False, False, False, True, True]


def test_without_development_rows_nothing_is_outside():
    scope = Scope.fitted(np.zeros(0), neighbours=3, false_refusals=0.05)
    assert scope.quantiles == []
    assert not scope.is_outside(scope.scores(np.array([9.0]))).any()
