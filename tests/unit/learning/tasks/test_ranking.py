"""Ratings and clicks: AUC and NDCG by user, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fuseline.errors import ContractError
from fuseline.learning.tasks.ranking import Ranking
from tests.support.tasks import cells
from tests.support.tiny_models import rows

NAN = float("nan")


def task() -> Ranking:
    return Ranking("stars", {"low": 1.0, "high": 5.0})


def data(labels: list[float], users: list[int]):
    labels = np.array(labels, dtype=np.float32)
    return replace(rows(len(labels)), labels=labels, groups=np.array(users))


def test_the_range_is_that_of_training_rows_and_others_are_cut():
    found = cells("ranking", 6, values=["1", "5", "9", "-3", None, "2"])
    assert Ranking.learn(found) == {"low": 1.0, "high": 5.0}
    np.testing.assert_array_equal(task().labels(found), [0, 1, 1, 0, NAN, 0.25])
    assert task().has_label(task().labels(found)).tolist() == [True] * 4 + [False, True]


def test_ratings_that_do_not_differ_are_nothing_to_learn():
    with pytest.raises(ContractError, match=r"found 2 rows and 1 values\. Choose another target"):
        Ranking.learn(cells("ranking", 4, values=["1", "1", "2", "3"]))


def test_the_loss_has_the_rating_as_a_soft_target():
    logits = torch.tensor([[math.log(3.0)], [0.0], [7.0]])
    batch = {"labels": torch.tensor([0.25, 1.0, NAN])}
    first = 0.25 * math.log(4 / 3) + 0.75 * math.log(4)
    assert task().losses(logits, batch).tolist() == pytest.approx([first, math.log(2), 0.0])
    smooth = task().losses(
        torch.tensor([[math.log(3.0)]]), {"labels": torch.ones(1)}, smoothing=0.2
    )
    assert smooth.tolist() == pytest.approx([0.9 * math.log(4 / 3) + 0.1 * math.log(4)])


def test_right_is_the_right_half():
    logits = torch.tensor([[1.0], [-1.0], [1.0], [1.0]])
    labels = torch.tensor([0.75, 0.5, 0.25, NAN])
    assert task().right(logits, {"labels": labels}).tolist() == [True, True, False, False]


def test_outputs_lie_between_0_and_1():
    assert task().outputs(torch.tensor([[0.0], [math.log(3.0)]]), {}).tolist() == pytest.approx(
        [0.5, 0.75]
    )


def test_figures_by_hand():
    """User 0 has the order wrong in one pair of two; user 1 has it right; user 2 is all alike;
    user 3 has one row; user 4 differs within the lower half alone."""
    users = [0, 0, 0, 1, 1, 2, 2, 3, 4, 4, 9]
    labels = [1, 0, 0, 0.75, 0.25, 1, 1, 0, 0.25, 0, NAN]
    outputs = np.array([0.5, 0.9, 0.1, 0.8, 0.2, 0.3, 0.4, 0.6, 0.3, 0.7, 0.99])
    found = task().scores(outputs, data(labels, users))
    assert found["num_users"] == 3
    assert found["user_auc"] == pytest.approx((0.5 + 1.0) / 2)
    # User 0: the one gain of 1 lies second: 1/log2(3). User 1: ideal. User 4: second of two.
    second = 1 / math.log2(3)
    assert found["ndcg_at_10"] == pytest.approx((second + 1 + second) / 3)
    # Upper rows 0.5, 0.8, 0.3, 0.4 against lower ones 0.9, 0.1, 0.2, 0.6, 0.3, 0.7.
    wins = (3 + 0 + 0) + (5 + 0 + 0) + (2 + 0.5) + (3 + 0 + 0)
    assert found["auc"] == pytest.approx(wins / 24)


def test_gains_count_to_the_tenth_place():
    labels = [1.0] + [0.0] * 11
    outputs = np.linspace(0.1, 0.9, 12)
    assert task().scores(outputs, data(labels, [0] * 12))["ndcg_at_10"] == 0.0
    assert task().scores(outputs[::-1], data(labels, [0] * 12))["ndcg_at_10"] == 1.0


def test_ties_are_neither_won_nor_lost():
    found = task().scores(np.full(2, 0.5), data([1, 0], [0, 0]))
    assert (found["auc"], found["user_auc"]) == (0.5, 0.5)
    # Averaged over both orders.
    assert found["ndcg_at_10"] == pytest.approx((1 + 1 / math.log2(3)) / 2)


def test_nothing_to_tell_apart():
    expected = {"auc": 0.5, "user_auc": 0.5, "ndcg_at_10": 0.0, "num_users": 0.0}
    for labels in ([1, 1], [NAN, NAN], [0, NAN]):
        assert task().scores(np.array([0.1, 0.9]), data(labels, [0, 0])) == expected


def test_users_may_lie_apart():
    apart = task().scores(np.array([0.9, 0.1, 0.2, 0.8]), data([1, 1, 0, 0], [5, 2, 5, 2]))
    assert apart["user_auc"] == 0.5
    assert apart["num_users"] == 2


def test_spelling():
    spelt = task().spelt(np.array([0.5, 0.25]), data([1 / 3, NAN], [0, 0]))
    assert spelt == (["0.333333", ""], ["0.5", "0.25"])
