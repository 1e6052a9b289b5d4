"""Thresholds of single labels, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from fuseline.evaluation.trust.thresholds import label_thresholds

NAMES = ["common", "rare"]


def two(rare: list[float]) -> np.ndarray:
    """(N, 2) probabilities, that of the rare label given."""
    return np.stack([1 - np.array(rare), np.array(rare)], axis=1)


def test_a_rare_label_is_found_below_one_half():
    dev = two([0.3, 0.25, 0.1, 0.05, 0.2]), np.array([1, 1, 0, 0, 0])
    test = two([0.26, 0.4, 0.1, 0.2]), np.array([1, 0, 0, 1])
    found = label_thresholds(dev, test, NAMES)["rare"]
    assert found == {"threshold": 0.25, "precision": 0.5, "recall": 0.5, "f1": 0.5}


@pytest.mark.parametrize("labels", [[], [0, 0, 0]])
def test_a_label_without_development_rows_has_one_half(labels):
    dev = two([0.3] * len(labels)).reshape(-1, 2), np.array(labels, dtype=int)
    test = two([0.4, 0.6]), np.array([1, 1])
    assert label_thresholds(dev, test, NAMES)["rare"]["threshold"] == 0.5


@pytest.mark.parametrize("test_labels", [[0, 0, 0], [1, 1, 1], [0, 1, 0]])
def test_figures_are_finite_whatever_the_test_rows_hold(test_labels):
    dev = two([0.9, 0.1]), np.array([1, 0])
    for rare in ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]):
        found = label_thresholds(dev, (two(rare), np.array(test_labels)), NAMES)
        assert all(0 <= value <= 1 for one in found.values() for value in one.values())


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_is_better_on_the_rows_that_it_was_chosen_by(seed):
    generator = np.random.default_rng(seed)
    labels = (generator.random(60) < 0.2).astype(int)
    rare = np.clip(generator.normal(0.2 + 0.2 * labels, 0.15), 0.001, 0.999).round(3)
    rows = two(list(rare)), labels
    found = label_thresholds(rows, rows, NAMES)["rare"]
    said = rare >= found["threshold"]
    assert found["f1"] == pytest.approx(f1_score(labels, said))
    assert found["recall"] == pytest.approx(recall_score(labels, said))
    assert found["precision"] == pytest.approx(precision_score(labels, said))
    assert found["f1"] == pytest.approx(max(f1_score(labels, rare >= one) for one in rare))
