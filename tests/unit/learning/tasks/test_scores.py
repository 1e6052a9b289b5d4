from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from fuseline.learning.tasks.scores import (
    classification_metrics,
    confusion_matrix,
    scores,
)

NAMES = ["a", "b", "c", "d"]


def drawn(num_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, num_rows)  # class d never occurs
    noise = generator.integers(0, 3, num_rows)
    return labels, np.where(generator.random(num_rows) < 0.7, labels, noise)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("num_rows", [1, 7, 200])
def test_agrees_with_scikit_learn(num_rows, seed):
    labels, predictions = drawn(num_rows, seed)
    found = classification_metrics(labels, predictions, NAMES)
    fixed = {"labels": range(4), "zero_division": 0}
    report = reference.classification_report(
        labels, predictions, target_names=NAMES, output_dict=True, **fixed
    )
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(labels, predictions))
    assert found["macro_f1"] == pytest.approx(
        reference.f1_score(labels, predictions, average="macro", **fixed)
    )
    assert found["confusion_matrix"] == (
        reference.confusion_matrix(labels, predictions, labels=range(4)).tolist()
    )
    for name in NAMES:
        expected = report[name] | {"f1": report[name]["f1-score"]}
        for figure, value in found["per_class"][name].items():
            assert value == pytest.approx(expected[figure])


def test_a_class_that_is_neither_present_nor_predicted_counts_as_zero():
    labels = np.array([0, 1, 2])
    assert scores(labels, labels, 4) == {"accuracy": 1.0, "macro_f1": 0.75}


def test_rows_of_the_confusion_matrix_are_actual_classes():
    assert confusion_matrix(np.array([0]), np.array([2]), 3).tolist() == [
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
