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
    named = np.union1d(labels, predictions)
    report = reference.classification_report(
        labels, predictions, target_names=NAMES, output_dict=True, **fixed
    )
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(labels, predictions))
    assert found["macro_f1"] == pytest.approx(
        reference.f1_score(labels, predictions, average="macro", labels=named, zero_division=0)
    )
    assert found["confusion_matrix"] == (
        reference.confusion_matrix(labels, predictions, labels=range(4)).tolist()
    )
    for name in NAMES:
        expected = report[name] | {"f1": report[name]["f1-score"]}
        for figure, value in found["per_class"][name].items():
            assert value == pytest.approx(expected[figure])


@pytest.mark.parametrize(
    ("labels", "predictions", "num_classes", "macro_f1"),
    [
        ([0, 1, 2], [0, 1, 2], 4, 1.0),
        ([0, 1, 2, 3], [0, 1, 2, 3], 6, 1.0),
        ([5, 5], [5, 5], 6, 1.0),
        ([0, 0], [0, 3], 6, 1 / 3),  # predicted, though it does not occur: 0 counts
        ([0, 1], [0, 0], 6, 1 / 3),  # occurs, though it is not predicted
        ([], [], 3, 0.0),
    ],
)
def test_macro_f1_is_over_the_classes_that_occur_or_are_predicted(
    labels, predictions, num_classes, macro_f1
):
    """As on the development split: labels that the test split lacks are no errors."""
    found = scores(np.array(labels, int), np.array(predictions, int), num_classes)
    assert found["macro_f1"] == pytest.approx(macro_f1)


def test_rows_of_the_confusion_matrix_are_actual_classes():
    assert confusion_matrix(np.array([0]), np.array([2]), 3).tolist() == [
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
