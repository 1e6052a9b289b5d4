from __future__ import annotations

import numpy as np
import pytest

from fuseline.data.histories import NOTHING, Histories
from fuseline.data.trend import LEAST_RATE, NUM_FEATURES, RATES, trend
from tests.support.events import START, interactions

DAY = 86400
EVENTS = interactions(
    [(0, 0, 0), (1, 0, 9), (0, 1, 10), (0, 2, 12), (1, 1, 20)], dev_day=15, test_day=18
)


def test_what_comes_later_plays_no_part() -> None:
    at = START + 10 * DAY
    found = trend(EVENTS, at, 3)
    assert found.shape == (3, NUM_FEATURES)
    np.testing.assert_array_equal(found, trend(EVENTS.between(end=at), at, 3))
    cold = [np.log(LEAST_RATE)] * len(RATES) + [0.0, 0.0]
    np.testing.assert_allclose(found[1:], [cold, cold], rtol=1e-6)


def test_an_event_counts_half_after_a_half_life() -> None:
    found = trend(EVENTS, START + 10 * DAY, 3)[0]
    one_day = (0.5**1 + 0.5**10) * np.log(2)
    by_name = dict(zip(RATES, found, strict=False))
    assert by_name["half-life of 1 days"] == pytest.approx(np.log(one_day + LEAST_RATE), rel=1e-5)
    assert by_name["within 3 days"] == pytest.approx(np.log(1 / 3 + LEAST_RATE), rel=1e-5)
    assert found[-2] == pytest.approx(np.log(3))
    assert found[-1] == pytest.approx(np.log(11))


def test_histories_are_newest_first_and_end_before_the_time() -> None:
    histories = Histories.of(EVENTS)
    items, ages = histories.before([0, 1], START + 12 * DAY, 3)
    np.testing.assert_array_equal(items, [[1, 0, NOTHING], [0, NOTHING, NOTHING]])
    np.testing.assert_allclose(ages, [[2, 12, 0], [3, 0, 0]])
    items, _ = histories.before([0, 0], np.array([START + 11 * DAY, START + 13 * DAY]), 2)
    np.testing.assert_array_equal(items, [[1, 0], [2, 1]])
    np.testing.assert_array_equal(histories.all_of(0), [0, 1, 2])
