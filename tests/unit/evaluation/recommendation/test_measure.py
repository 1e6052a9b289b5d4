from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from fuseline.evaluation.recommendation.measure import measure_recommendation
from fuseline.evaluation.recommendation.measures import Lists, make_lists
from fuseline.evaluation.recommendation.protocol import Asked, asked_people
from fuseline.evaluation.recommendation.rivals import RIVALS, Ease, Popularity
from tests.support.events import START, interactions, tastes

DAY = 86400
ALL = tastes()


class Fixed:
    """The same scores for everybody."""

    def __init__(self, scores: list[float]) -> None:
        self._scores = np.array(scores, np.float32)

    def scores(self, users: np.ndarray) -> np.ndarray:
        return np.tile(self._scores, (len(users), 1))


class Tastes:
    """Knows the two tastes."""

    def scores(self, users: np.ndarray) -> np.ndarray:
        return (users[:, None] % 2 == np.arange(24) % 2).astype(np.float32)


def few() -> Asked:
    events = interactions(
        [(0, 0, 0), (0, 1, 1), (1, 1, 2), (0, 2, 10), (1, 1, 11), (1, 3, 12), (2, 0, 13)],
        dev_day=5, test_day=9,
    )  # fmt: skip
    return asked_people(events, 4, events.test_from, None, known=True)


def test_people_are_asked_for_what_is_new_to_them() -> None:
    asked = few()
    np.testing.assert_array_equal(asked.users, [0, 1])
    assert [items.tolist() for items in asked.had] == [[0, 1], [1]]
    assert [items.tolist() for items in asked.wanted] == [[2], [3]]
    np.testing.assert_array_equal(asked.warm, [True, True, False, False])
    np.testing.assert_array_equal(asked.events, [2, 1])
    assert "all 4 items ranked for each of 2 people who took 2 new ones" in asked.told()


def test_new_people_are_asked_apart() -> None:
    events = interactions([(0, 0, 0), (1, 1, 2), (2, 0, 13)], dev_day=5, test_day=9)
    new = asked_people(events, 2, events.test_from, None, known=False)
    np.testing.assert_array_equal(new.users, [2])
    assert new.events.tolist() == [0]


def test_figures_by_hand() -> None:
    lists = make_lists(Fixed([9, 8, 2, 1]), few())
    # The first has 2 and 3 to choose from, the second 0, 2, 3.
    np.testing.assert_array_equal(lists.items[:, :2], [[2, 3], [0, 2]])
    found = lists.by_person()
    assert found["mrr"] == pytest.approx([1.0, 1 / 3])
    assert found["ndcg_at_10"] == pytest.approx([1.0, 1 / np.log2(4)])
    assert found["recall_at_10"].tolist() == found["hit_rate_at_10"].tolist() == [1.0, 1.0]
    over_all = lists.over_all(np.array([1, 2, 0, 0]))
    assert over_all["coverage"] == 1.0


def test_coverage_novelty_and_popularity_by_hand() -> None:
    asked = Asked(0, 4, np.array([0]), [np.array([0])], [np.array([1])], np.array([1, 1, 1, 0]) > 0)
    found = Lists(asked, np.array([[1, 3]])).over_all(np.array([4, 2, 2, 0]))
    assert found == {
        "coverage": 0.5,
        "novelty": pytest.approx((2 + 3) / 2),
        "popularity_lift": pytest.approx(1.0 / 4.0 - 1.0),
        "cold_share": 0.5,
    }


def test_lists_of_some_items_hold_no_other() -> None:
    lists = make_lists(Fixed([9, 8, 2, 1]), few(), np.array([False, False, True, True]))
    np.testing.assert_array_equal(lists.items, [[2, 3], [2, 3]])


def test_popularity_counts_what_is_within_its_days() -> None:
    past = interactions([(0, 0, 0), (1, 0, 1), (0, 1, 9)], dev_day=20, test_day=30)
    at = START + 10 * DAY
    week = Popularity(past, 3, at, lambda ages: (ages <= 7).astype(float))
    np.testing.assert_array_equal(week.scores(np.array([0, 1])), [[0, 1, 0]] * 2)


def test_ease_recommends_what_goes_together() -> None:
    rows = [
        (user, item, user + item / 10) for user in range(12) for item in (user % 2, 2 + user % 2)
    ]
    past = interactions([*rows, (12, 0, 20.0), (13, 1, 20.0)], dev_day=30, test_day=40)
    scores = Ease(past, 4, 1.0).scores(np.array([12, 13]))
    assert scores[0].argmax() == 2
    assert scores[1].argmax() == 3


@pytest.mark.parametrize("name", ["als", "bpr"])
@pytest.mark.parametrize("place", [0, -1])
def test_factors_tell_tastes_apart_and_are_the_same_again(name: str, place: int) -> None:
    people, setting = np.arange(8), RIVALS[name].settings[place]
    scores, again = (RIVALS[name].at(ALL, 24, ALL.test_from, setting).scores(people) for _ in "12")
    assert scores.shape == (8, 24)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, again)
    alike = people[:, None] % 2 == np.arange(24) % 2
    assert scores[alike].mean() > scores[~alike].mean()


def test_the_last_events_alone_may_speak() -> None:
    rows = [
        (user, item, user + item / 10) for user in range(12) for item in (user % 2, 2 + user % 2)
    ]
    past = interactions([*rows, (12, 0, 20.0), (12, 1, 21.0)], dev_day=30, test_day=40)
    (both,), (last,) = (Ease(past, 4, 1.0, count).scores(np.array([12])) for count in (2, 1))
    assert both[2] == pytest.approx(both[3], abs=0.1)
    assert last.argmax() == 3
    assert past.latest(1).item[past.latest(1).user == 12].tolist() == [1]


def test_a_rival_reads_nothing_from_its_time_on() -> None:
    for rival in RIVALS.values():
        asked = np.arange(4)
        all_given = rival.at(ALL, 24, ALL.test_from, rival.settings[0])
        cut = rival.at(ALL.between(end=ALL.test_from), 24, ALL.test_from, rival.settings[0])
        np.testing.assert_array_equal(all_given.scores(asked), cut.scores(asked))


def test_every_figure_is_there_and_finite() -> None:
    found = measure_recommendation(Tastes(), ALL, 24, num_resamples=50, seed=0)
    json.dumps(found, allow_nan=False)
    assert set(found["rivals"]) == set(RIVALS)
    low, high = (found["intervals"]["ndcg_at_10"][end] for end in ("low", "high"))
    assert low <= found["ndcg_at_10"] <= high
    # Who knows the tastes is better than what is popular with both.
    apart = found["rivals"]["popularity"]["difference"]
    assert apart["value"] == pytest.approx(
        found["ndcg_at_10"] - found["rivals"]["popularity"]["ndcg_at_10"]
    )
    assert apart["low"] > 0
    assert found["rivals"]["ease"]["ndcg_at_10"] > found["rivals"]["popularity"]["ndcg_at_10"]
    for name, rival in found["rivals"].items():
        assert rival["setting"] in RIVALS[name].settings
        interval = rival["intervals"]["ndcg_at_10"]
        assert interval["low"] <= rival["ndcg_at_10"] <= interval["high"]


def test_what_comes_after_the_cut_changes_no_list_of_a_rival() -> None:
    """Leakage by time: strangers who come after the cut change no rival."""
    stranger, end = len(ALL.users), int(ALL.time[-1])
    late = interactions(
        [(stranger + number, number % 3, 0.0) for number in range(60)], dev_day=1, test_day=2
    )
    grown = replace(
        ALL,
        users=[*ALL.users, *late.users[stranger:]],
        user=np.concatenate([ALL.user, late.user]),
        item=np.concatenate([ALL.item, late.item]),
        time=np.concatenate([ALL.time, np.full(len(late), end)]),
        value=np.concatenate([ALL.value, late.value]),
    )
    found, again = (
        measure_recommendation(Tastes(), events, 24, num_resamples=40, seed=0)
        for events in (ALL, grown)
    )
    assert again["new_users"]["people"] == 60
    for rival in [*found["rivals"].values(), *again["rivals"].values()]:
        # Of other people.
        rival.pop("new_users")
    assert again["rivals"] == found["rivals"]


def test_without_anybody_to_ask_all_figures_are_nothing() -> None:
    events = interactions([(0, 0, 0), (1, 1, 1), (2, 1, 20)], dev_day=5, test_day=10)
    found = measure_recommendation(Fixed([1, 2]), events, 2, num_resamples=40, seed=0)
    json.dumps(found, allow_nan=False)
    assert found["people"] == 0
    assert found["new_users"]["people"] == 1
    assert found["rivals"] == {}
