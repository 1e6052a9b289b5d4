from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from fuseline.evaluation.trust.intervals import macro_f1_score
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.scores import (
    classification_metrics,
    confusion_matrix,
    scores,
)
from fuseline.reporting.figures import labels_without_rows

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
        reference.f1_score(
            labels, predictions, labels=np.unique(labels), average="macro", zero_division=0
        )
    )
    assert found["confusion_matrix"] == (
        reference.confusion_matrix(labels, predictions, labels=range(4)).tolist()
    )
    for name in NAMES:
        expected = report[name] | {"f1": report[name]["f1-score"]}
        for figure, value in found["per_class"][name].items():
            assert value == pytest.approx(expected[figure])


@pytest.mark.parametrize(
    ("labels", "predictions", "macro_f1"),
    [
        pytest.param([0, 1, 2], [0, 1, 2], 1.0, id="a class neither present nor predicted"),
        pytest.param([0, 0, 1], [0, 3, 1], (2 / 3 + 1) / 2, id="a class predicted, not present"),
        pytest.param([0, 0], [3, 3], 0.0, id="nothing right"),
        pytest.param([], [], 0.0, id="no rows"),
    ],
)
def test_macro_f1_is_over_the_classes_that_have_rows(labels, predictions, macro_f1):
    labels, predictions = (np.array(of, dtype=np.int64) for of in (labels, predictions))
    assert scores(labels, predictions, 4)["macro_f1"] == pytest.approx(macro_f1)


def test_development_test_and_intervals_share_the_definition(make_data):
    labels, predictions = drawn(60, 1)
    task = Classification("label", {"labels": NAMES})
    data = make_data(60, 4, labels=labels, label_names=NAMES)
    expected = scores(labels, predictions, 4)
    assert task.scores(np.eye(4)[predictions], data) == expected
    resampled = macro_f1_score(labels, predictions, 4)(np.arange(60))
    assert resampled["macro_f1"] == pytest.approx(expected["macro_f1"])
    found = classification_metrics(labels, predictions, NAMES)
    assert found["macro_f1"] == expected["macro_f1"]
    assert labels_without_rows(found) == ["d"]


def test_rows_of_the_confusion_matrix_are_actual_classes():
    assert confusion_matrix(np.array([0]), np.array([2]), 3).tolist() == [
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
