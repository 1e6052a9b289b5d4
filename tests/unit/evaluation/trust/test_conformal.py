import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseline.evaluation.trust.conformal import (
    EVERYTHING,
    MIN_GROUP_ROWS,
    conformal_quantile,
    conformal_quantiles,
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
    assert prediction_sets(probabilities, [EVERYTHING] * 5).all()


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_of_further_rows_hold_the_label_as_often_as_was_asked(coverage):
    found = []
    for seed in range(40):
        probabilities, labels = drawn(400, seed)
        quantiles = conformal_quantiles(probabilities[:200], labels[:200], coverage)
        sets = prediction_sets(probabilities[200:], quantiles)
        found.append(set_figures(sets, labels[200:])["coverage"])
    # Forty rows a class: a rank more is a share of 0.024.
    assert coverage - 0.005 <= np.mean(found) <= coverage + 0.03


def uneven(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An easy class, a hard one, and three rare ones."""
    random = np.random.default_rng(seed)
    labels = random.choice(5, size=rows, p=[0.5, 0.4, 0.04, 0.03, 0.03])
    sure = np.array([6.0, 1.0, 2.0, 2.0, 2.0])[labels]
    logits = random.normal(size=(rows, 5)) + sure[:, None] * np.eye(5)[labels]
    shares = np.exp(logits)
    return shares / shares.sum(-1, keepdims=True), labels


def test_hard_classes_are_covered_as_often_as_easy_ones():
    easy, hard, together = [], [], []
    for seed in range(40):
        probabilities, labels = uneven(800, seed)
        quantiles = conformal_quantiles(probabilities[:400], labels[:400], 0.9)
        sets = prediction_sets(probabilities[400:], quantiles)
        held = sets[np.arange(400), labels[400:]]
        easy.append(held[labels[400:] == 0].mean())
        hard.append(held[labels[400:] == 1].mean())
        pooled = [conformal_quantile(probabilities[:400], labels[:400], 0.9)] * 5
        sets = prediction_sets(probabilities[400:], pooled)
        together.append(sets[np.arange(400), labels[400:]][labels[400:] == 1].mean())
    assert np.mean(easy) >= 0.89
    assert np.mean(hard) == pytest.approx(0.9, abs=0.015)
    assert np.mean(together) < 0.85


def test_rare_classes_share_a_quantile():
    probabilities, labels = uneven(400, 0)
    quantiles = conformal_quantiles(probabilities, labels, 0.9)
    assert (np.bincount(labels)[2:] < MIN_GROUP_ROWS).all()
    assert len({*quantiles[2:]}) == 1
    assert len({*quantiles}) == 3
    own = labels == 1
    assert quantiles[1] == conformal_quantile(probabilities[own], labels[own], 0.9)


def test_rows_too_few_for_groups_are_one():
    probabilities, labels = drawn(MIN_GROUP_ROWS - 1, 0)
    expected = conformal_quantile(probabilities, labels, 0.9)
    assert conformal_quantiles(probabilities, labels, 0.9) == [expected] * 5
    assert conformal_quantiles(probabilities[:0], labels[:0], 0.9) == [EVERYTHING] * 5


def test_a_single_rare_class_shares_that_of_the_next():
    labels = np.repeat([0, 1, 2], [200, 40, 3])
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), size=len(labels))
    quantiles = conformal_quantiles(probabilities, labels, 0.9)
    assert quantiles[1] == quantiles[2] != quantiles[0]


@given(st.integers(0, 50), st.floats(0.0, 1.0))
def test_a_set_is_never_empty_and_holds_the_likeliest(seed, quantile):
    probabilities, _ = drawn(20, seed)
    sets = prediction_sets(probabilities, [quantile] * 5)
    assert sets[np.arange(20), probabilities.argmax(-1)].all()


def test_figures_of_sets():
    sets = np.array([[True, False], [True, True]])
    assert set_figures(sets, np.array([1, 1])) == {
        "coverage": 0.5,
        "class_coverage": 0.5,
        "mean_size": 1.5,
        "single": 0.5,
    }
    three = np.array([[True, True], [True, False], [True, False]])
    found = set_figures(three, np.array([0, 1, 0]))
    assert (found["coverage"], found["class_coverage"]) == (2 / 3, 0.5)
    assert set_figures(sets[:0], np.array([], dtype=int))["coverage"] == 0.0
