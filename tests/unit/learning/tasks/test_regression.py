"""Numbers: scaling, losses and figures in the target's units, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fuseline.errors import ContractError
from fuseline.learning.tasks.regression import Regression
from tests.support.tasks import cells
from tests.support.tiny_models import rows

NAN = float("nan")


def task(mean: float = 10.0, deviation: float = 2.0) -> Regression:
    return Regression("price", {"mean": mean, "deviation": deviation})


def data(labels: list[float]):
    return replace(rows(len(labels)), labels=np.array(labels))


def test_scaling_is_learnt_from_training_rows_alone():
    """Rows 2 and 3 are of the other splits, row 1 has no number."""
    found = cells("regression", 6, values=["1", None, "1000", "-1000", "3", "5"])
    facts = Regression.learn(found)
    assert facts == pytest.approx({"mean": 3.0, "deviation": math.sqrt(8 / 3)})
    assert task().labels(found).tolist()[2:] == [1000.0, -1000.0, 3.0, 5.0]


@pytest.mark.parametrize(
    ("values", "found"),
    [([None] * 4, "0 rows and 0 values"), (["2", "2.0", "3", "4"], "2 rows and 1 values")],
)
def test_numbers_that_do_not_differ_are_nothing_to_learn(values, found):
    message = rf"^examples, it: expected numbers that differ in the training split, found {found}"
    with pytest.raises(ContractError, match=message):
        Regression.learn(cells("regression", 4, values=values))


def test_the_loss_is_in_squared_deviations():
    logits = torch.tensor([[0.0], [1.0], [1.0]], requires_grad=True)
    batch = {"labels": torch.tensor([13.0, 12.0, NAN], dtype=torch.float64)}
    losses = task().losses(logits, batch)
    assert losses.tolist() == pytest.approx([1.5**2, 0.0, 0.0])
    losses.sum().backward()
    assert logits.grad.squeeze(1).tolist() == pytest.approx([-3.0, 0.0, 0.0])


def test_right_is_within_half_a_deviation():
    logits = torch.tensor([[0.0], [0.0], [0.0], [0.0]])
    batch = {"labels": torch.tensor([11.0, 11.01, 9.0, NAN], dtype=torch.float64)}
    assert task().right(logits, batch).tolist() == [True, False, True, False]


def test_outputs_are_in_the_targets_units():
    assert task().outputs(torch.tensor([[0.0], [-1.5]]), {}).tolist() == [10.0, 7.0]


def test_figures_by_hand():
    found = task().scores(np.array([1.0, 4.0, 99.0, 3.0]), data([1.0, 2.0, NAN, 6.0]))
    # Errors 0, 2, -3; the labels' mean is 3, and their squared distances from it 4 + 1 + 9.
    assert found == pytest.approx(
        {"rmse": math.sqrt(13 / 3), "mae": 5 / 3, "r2": 1 - 13 / 14}
    )  # fmt: skip


def test_the_mean_explains_nothing():
    assert task().scores(np.full(3, 3.0), data([1.0, 2.0, 6.0]))["r2"] == pytest.approx(0.0)


def test_one_row_has_no_variance_to_explain():
    assert task().scores(np.array([4.0]), data([6.0])) == {"rmse": 2.0, "mae": 2.0, "r2": 0.0}


def test_times_in_seconds_stay_apart():
    """float32 knows 1.6e9 to the nearest 128 alone."""
    values = ["1600000000.5", "1600000010.5", "1600000001", "1600000002"]
    found = cells("regression", 4, values=values)
    facts = Regression.learn(found)
    assert facts == {"mean": 1600000005.5, "deviation": 5.0}
    made = Regression("when", facts)
    batch = {"labels": torch.from_numpy(made.labels(found))}
    exact = torch.tensor([[-1.0], [1.0], [-0.9], [-0.7]])
    assert made.losses(exact, batch).max() < 1e-10
    outputs = made.outputs(exact, batch).numpy()
    labelled = data(made.labels(found).tolist())
    assert made.scores(outputs, labelled)["rmse"] < 1e-5
    assert made.spelt(outputs, labelled)[0] == values


def test_numbers_are_spelt_without_loss():
    spelt = task().spelt(np.array([0.123456789, 2.0]), data([1234567.125, NAN]))
    assert spelt == (["1234567.125", ""], ["0.123456789", "2"])
