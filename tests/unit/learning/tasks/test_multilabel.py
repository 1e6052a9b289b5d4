"""Sets of names: labels, losses and figures by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fuseline.errors import ContractError
from fuseline.learning.tasks.multilabel import Multilabel
from tests.support.tasks import cells
from tests.support.tiny_models import rows

NAN = float("nan")


def task(*names: str) -> Multilabel:
    return Multilabel("parts", {"labels": list(names or ("a", "b", "c"))})


def data(labels: list[list[float]]):
    return replace(rows(len(labels)), labels=np.array(labels, dtype=np.float32))


def test_names_that_no_training_row_bears_are_left_out():
    """Rows 2 and 3 are of the other splits: `d` cannot be learnt, and is no part of a set."""
    values = ['["b", "a"]', None, '["a", "d"]', '["d"]', "[]"]
    found = cells("multilabel", 5, values=values)
    facts = Multilabel.learn(found)
    assert facts == {"labels": ["a", "b"]}
    labels = Multilabel("parts", facts).labels(found)
    np.testing.assert_array_equal(labels, [[1, 1], [NAN, NAN], [1, 0], [0, 0], [0, 0]])
    assert Multilabel("parts", facts).has_label(labels).tolist() == [True, False, True, True, True]


@pytest.mark.parametrize("values", [[None] * 4, ["[]", "[]", '["a"]', '["a"]']])
def test_nothing_to_learn(values):
    with pytest.raises(ContractError, match=r"^examples, it: expected training rows with some of"):
        Multilabel.learn(cells("multilabel", 4, values=values))


def test_the_loss_is_the_mean_over_names():
    logits = torch.tensor([[0.0, math.log(3.0)], [5.0, 5.0]])
    batch = {"labels": torch.tensor([[1.0, 0.0], [NAN, NAN]])}
    # Probabilities are 1/2 and 3/4.
    plain = task("a", "b").losses(logits, batch)
    assert plain.tolist() == pytest.approx([(math.log(2) + math.log(4)) / 2, 0.0])
    smooth = task("a", "b").losses(logits, batch, smoothing=0.2)
    second = 0.1 * math.log(4 / 3) + 0.9 * math.log(4)
    assert smooth.tolist() == pytest.approx([(math.log(2) + second) / 2, 0.0])


def test_a_row_is_right_with_the_very_set():
    logits = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]])
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [NAN, NAN]])
    assert task("a", "b").right(logits, {"labels": labels}).tolist() == [True, False, True, False]


def test_figures_by_hand():
    rows_ = data([[1, 0, 0], [1, 1, 0], [NAN] * 3, [0, 1, 0]])
    outputs = np.array([[2.0, 1.0, -1], [-1, 3.0, -1], [9, 9, 9], [-2.0, 0.5, -1]])
    found = task().scores(outputs, rows_)
    # a: one hit, one miss: F1 2/3. b: two hits, one false: F1 4/5. c: nowhere, and left out.
    assert found["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found["micro_f1"] == pytest.approx(2 * 3 / (4 + 4))
    # a: ranked first and second of two. b: first, third; precisions 1 and 2/3.
    assert found["mean_average_precision"] == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)
    assert found["subset_accuracy"] == pytest.approx(1 / 3)


def test_a_name_that_is_predicted_but_nowhere_counts_against_all_pairs_alone():
    found = task().scores(np.array([[5.0, 5.0, -5.0]]), data([[1, 0, 0]]))
    assert found["macro_f1"] == 1.0
    assert found["micro_f1"] == pytest.approx(2 / 3)
    assert found["subset_accuracy"] == 0.0
    assert found["mean_average_precision"] == 1.0


def test_a_single_name_is_scored_as_a_name():
    """Its absence is no class beside it."""
    outputs = np.array([[1.0], [-1.0], [-1.0], [-1.0]])
    found = task("a").scores(outputs, data([[1], [1], [0], [0]]))
    assert found["macro_f1"] == found["micro_f1"] == pytest.approx(2 / 3)


def test_empty_sets_alone_have_nothing_to_average():
    found = task("a", "b").scores(np.full((2, 2), -1.0), data([[0, 0], [0, 0]]))
    expected = {"macro_f1": 0.0, "micro_f1": 0.0, "mean_average_precision": 0.0}
    assert found == expected | {"subset_accuracy": 1.0}


def test_sets_are_spelt_as_in_the_examples_table():
    made = data([[1, 0, 1], [NAN] * 3, [0, 0, 0]])
    outputs = np.array([[1.0, 1.0, -1.0], [1, -1, -1], [-1, -1, -1]])
    spelt = task("a", "b", "é").spelt(outputs, made)
    assert spelt == (['["a", "é"]', "", "[]"], ['["a", "b"]', '["a"]', "[]"])
    assert json.loads(spelt[0][0]) == ["a", "é"]


def test_probabilities_are_of_each_name_alone():
    found = task("a", "b").probabilities(np.array([[0.0, math.log(3.0)]]))
    np.testing.assert_allclose(found, [[0.5, 0.75]], rtol=1e-6)
