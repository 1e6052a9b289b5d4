from __future__ import annotations

import numpy as np
import pytest

from fuseline.data.histories import Histories
from fuseline.data.interactions import DAY
from fuseline.learning.recommending.events import (
    Events,
    TimedBatches,
    is_first,
    rows_to_learn,
)
from fuseline.learning.recommending.lists import best_items, ndcg
from tests.support.events import START, interactions, tastes
from tests.support.tasks import data

ALL = tastes()


def events(group: int = 1) -> Events:
    numbers, at = rows_to_learn(ALL, 4.0, 0)
    known = ALL.between(end=ALL.dev_from)
    return Events(
        data(24), Histories.of(known), known, known.user[numbers], known.item[numbers], at, 5, group
    )


def test_rows_look_back_by_no_more_than_a_horizon() -> None:
    numbers, at = rows_to_learn(ALL, 4.0, 0)
    back = (ALL.time[numbers] - at) / DAY
    assert (back >= 0).all() and (back <= 4).all()
    assert back.max() >= 3
    assert (ALL.time[numbers] < ALL.dev_from).all()
    # A horizon of past at least.
    assert at.min() >= ALL.time[0] + 4 * DAY
    assert len(np.unique(ALL.dev_from - at)) == len(np.unique((ALL.dev_from - at) // DAY))


def test_an_item_that_was_had_before_is_no_row() -> None:
    again = interactions([(0, 0, 0), (0, 0, 6), (0, 1, 6), (1, 0, 7)], dev_day=10, test_day=11)
    np.testing.assert_array_equal(is_first(again), [True, False, True, True])
    numbers, _ = rows_to_learn(again, 1.0, 0)
    assert 1 not in numbers


def test_a_batch_knows_only_what_was_before_its_time() -> None:
    rows = events()
    for batch in TimedBatches(rows.at, 8, 0):
        (at,) = np.unique(rows.at[batch])
        made = rows.batch(batch)
        history, ages = made["history"].numpy(), made["history_ages"].numpy()
        for row, one, old in zip(batch, history, ages, strict=True):
            before = (ALL.user == rows.user[row]) & (ALL.time < at)
            expected = ALL.item[before][::-1][:5]
            np.testing.assert_array_equal(one[: len(expected)], expected)
            assert (one[len(expected) :] == -1).all()
            assert (old[: len(expected)] > 0).all()
        np.testing.assert_array_equal(made["taken"], rows.item[batch])


def test_one_item_of_a_group_is_encoded_anew() -> None:
    rows = events(group=4)
    made = rows.batch(np.flatnonzero(rows.at == rows.at[0])[:6])
    assert len(made["users"]) == len(made["history"]) == 6
    assert len(made["input_ids"]) == len(made["labels"]) == 2
    np.testing.assert_array_equal(made["row_numbers"], made["taken"][:2])


def test_every_row_comes_once_an_epoch_in_another_order() -> None:
    rows = events()
    batches = TimedBatches(rows.at, 8, 0)
    first = list(batches)
    assert len(first) == len(batches)
    assert sorted(np.concatenate(first)) == list(range(len(rows)))
    assert list(batches) == first
    batches.set_epoch(1)
    assert list(batches) != first


def test_some_rows_are_the_rows_by_number() -> None:
    rows = events()
    some = rows.take(np.array([3, 1]))
    np.testing.assert_array_equal(some.item, rows.item[[3, 1]])
    assert len(some) == len(some.lengths) == 2


def test_of_equal_scores_the_first_row_is_listed() -> None:
    scores = np.array([[1, 3, 1, 1, 2], [0, 0, 0, 0, 0]], np.float32)
    lists = best_items(scores, [np.array([1]), np.array([], dtype=np.int64)], 3)
    np.testing.assert_array_equal(lists, [[4, 0, 2], [0, 1, 2]])


def test_ndcg_by_hand() -> None:
    lists = np.array([[5, 7, 9], [5, 7, 9], [5, 7, 9]])
    wanted = [np.array([7]), np.array([5, 7, 9, 11]), np.array([1])]
    assert ndcg(lists, wanted) == pytest.approx([1 / np.log2(3), 1.0, 0.0])


def test_all_events_start_after_the_first_second() -> None:
    assert ALL.time[0] >= START
