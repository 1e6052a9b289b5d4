"""Rivals of a model of recommendations: which is the best, and what is said of them."""

from __future__ import annotations

import pytest

from fuseline.evaluation.recommendation.beside import HEADLINE
from fuseline.evaluation.recommendation.rivals import RIVALS
from fuseline.reporting.rivals import (
    FIXED,
    JUDGED_BY,
    TITLES,
    Ends,
    Rival,
    beside_best,
    rivals_of,
    setting_words,
)


def test_every_rival_has_a_title_and_lists_are_compared_by_what_evaluate_compares():
    assert set(TITLES) == set(RIVALS)
    assert HEADLINE == JUDGED_BY
    assert all(len(RIVALS[name].settings) == 1 for name in FIXED)


@pytest.mark.parametrize(
    ("low", "high", "standing"),
    [
        (0.001, 0.01, "above"),
        (0.0, 0.01, "level with"),
        (-0.01, 0.01, "level with"),
        (-0.01, 0.0, "level with"),
        (-0.01, -0.001, "below"),
    ],
)
def test_a_standing_is_told_by_whether_the_interval_leaves_out_0(low, high, standing):
    assert Ends(0.0, low, high).standing == standing


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"half_life_days": 2, "penalty": 0.01}, "half life days 2, penalty 0.01"),
        ({}, ""),
        (None, ""),
        ("lambda 1000", "lambda 1000"),
        (1000.0, "1000"),
        (7, "7"),
    ],
)
def test_a_setting_is_shown_whatever_stands_there(setting, words):
    assert setting_words(setting) == words


def test_a_setting_that_the_title_has_is_not_said_twice():
    assert Rival("popularity_7_days", {"setting": {"days": 7}}).setting == ""
    assert Rival("ease", {"setting": {"strength": 10}}).setting == "strength 10"


def test_a_rival_of_no_title_goes_by_its_name():
    assert Rival("two_towers", {}).title == "two towers"


def test_the_best_comes_first_and_equal_ones_go_by_name():
    rivals = {name: {JUDGED_BY: score} for name, score in [("b", 0.2), ("a", 0.2), ("c", 0.3)]}
    assert [rival.name for rival in rivals_of({"rivals": rivals})] == ["c", "a", "b"]


def test_a_model_stands_beside_the_best():
    def rival(score: float, low: float) -> dict[str, object]:
        ends = {"value": 0.02, "low": low, "high": 0.04}
        return {JUDGED_BY: score, "difference": ends, "setting": {"strength": 10}}

    rivals = {"ease": rival(0.2, -0.01), "als": rival(0.1, 0.01)}
    assert beside_best({"rivals": rivals}) == (
        "level with EASE (strength 10), the best of 2 rivals: NDCG@10 differs by"
        " +2.0 points [-1.0, +4.0]"
    )
    assert beside_best({"rivals": {}}) == beside_best({"task": "regression"}) == ""
