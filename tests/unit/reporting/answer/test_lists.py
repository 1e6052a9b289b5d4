"""The first screen of recommendations: which model, beside its rivals, and what breaks lists."""

from __future__ import annotations

from typing import Any

import pytest

from fuseline.reporting.answer.lists import NOBODY, certainty_of_lists, choose_by_lists
from fuseline.reporting.answer.lists_harm import harm_of_lists, looks_of_lists
from fuseline.reporting.answer.measured import Model
from fuseline.reporting.sections.recommendations import COLUMNS
from tests.unit.reporting.answer.test_choice import ends

JUDGED_BY = COLUMNS[0]
SPLIT = {"events": 40, "days": 2.5, "users": 9, "new_users": 3, "items": 8, "new_items": 1}
INGEST: dict[str, Any] = {
    "rows_in": 60,
    "rows_quarantined": 0,
    "interactions": {
        "rows_in": 100,
        "rows_quarantined": 2,
        "quarantined": {"no_user": 2, "bad_time": 0},
        "splits": {
            split: SPLIT | {"events": events}
            for split, events in (("train", 41), ("dev", 42), ("test", 43))
        },
    },
}


def rival(score: float, difference: tuple[float, float, float], **changes) -> dict[str, Any]:
    value, low, high = difference
    return {
        **dict.fromkeys(COLUMNS, 0.5),
        JUDGED_BY: score,
        "intervals": {JUDGED_BY: ends(score - 0.01, score + 0.01)},
        "setting": {"strength": 30},
        "difference": {"value": value, **ends(low, high)},
        "one_event_users": score,
        "one_event_difference": {"value": value, **ends(low, high)},
        "new_users": score / 2,
        **changes,
    }


def lists(difference=(0.0, -0.01, 0.01), score: float = 0.3, half: float = 0.05, **changes):
    """Metrics of a model beside EASE, which is the best, and popularity, which it is above."""
    own = dict.fromkeys(COLUMNS, score)
    return {
        "rows": 8,
        "task": "recommendation",
        "protocol": "one cut by time; all 60 items ranked",
        "people": 40,
        **own,
        "intervals": dict.fromkeys(COLUMNS, ends(score - half, score + half)),
        "coverage": 0.75,
        "novelty": 5.25,
        "popularity_lift": 0.125,
        "cold_share": 0.0625,
        "new_users": {"people": 6, **own},
        "one_event_users": {"people": 7, **own},
        "cold_items": {
            "items": 5.0, "people": 4.0, "recall_among_cold": 0.5, "random_among_cold": 0.25,
            "recall_among_all": 0.125, "random_among_all": 0.0625,
        },
        "rivals": {
            "popularity": rival(0.1, (0.2, 0.1, 0.3)),
            "ease": rival(0.3 - difference[0], difference),
        },
        "promotion": {
            "items": 10.0, "people": 40.0, "listed_before": 0.125, "listed_after": 0.1875
        },
        **changes,
    }  # fmt: skip


def model(name: str, difference=(0.0, -0.01, 0.01), **changes) -> Model:
    return Model(name, name.title(), lists(difference, **changes))


ABOVE, LEVEL, BELOW = (0.05, 0.01, 0.09), (0.0, -0.01, 0.01), (-0.05, -0.09, -0.01)
GAIN = ": no gain over it is shown."


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([ABOVE], "One is the only model, and above EASE, the best rival."),
        ([LEVEL], f"One is the only model, and level with EASE, the best rival{GAIN}"),
        ([BELOW], "Rely on none yet: One is below EASE, the best rival."),
        ([BELOW, BELOW], "Rely on none yet: One and Two are below EASE, the best rival."),
        ([LEVEL, ABOVE], "Use the model Two. It is above EASE, the best rival."),
        ([LEVEL, BELOW], f"Use the model One. It is level with EASE, the best rival{GAIN}"),
        (
            [ABOVE, ABOVE],
            "Take either: NDCG@10 does not tell One and Two apart. Both are above EASE, the best"
            " rival.",
        ),
        (
            [LEVEL, LEVEL],
            "Take either: NDCG@10 does not tell One and Two apart. Both are level with EASE, the"
            f" best rival{GAIN}",
        ),
    ],
)
def test_the_verdict_says_which_model_and_whether_it_beats_the_best_rival(differences, verdict):
    models = [model(name, one) for name, one in zip(("one", "two"), differences, strict=False)]
    assert choose_by_lists(models).verdict == verdict


def test_a_model_whose_interval_lies_above_the_others_is_taken():
    one, two = model("one", score=0.1, half=0.05), model("two", score=0.3, half=0.05)
    choice = choose_by_lists([one, two])
    assert choice.verdict.startswith("Use the model Two.")
    assert choice.models == [two]
    assert "the intervals do not overlap" in choice.reasons[0].words
    meeting = choose_by_lists([model("one", score=0.25), model("two", score=0.35)])
    assert meeting.models != [two]
    assert meeting.verdict.startswith("Take either")


def test_the_reasons_have_the_paired_difference_and_how_many_rivals_it_is_above():
    (said,) = choose_by_lists([model("one", LEVEL)]).reasons
    assert said.level == "look"
    assert said.words == (
        "Level with EASE (strength 30), which has 30.0\u202f%: on the same 40 people NDCG@10"
        " differs by +0.0 points [-1.0, +1.0]. It is above 1 of 2 rivals."
    )
    assert choose_by_lists([model("one", ABOVE)]).reasons[0].level == "fine"


def test_of_nobody_nothing_is_said():
    nobody = model("one", people=0, rivals={}, intervals={})
    choice = choose_by_lists([nobody, nobody])
    assert choice.verdict == NOBODY
    assert choice.reasons == []
    assert [said.level for said in certainty_of_lists([nobody])] == ["note"], "the caveat alone"


def test_certainty_is_of_people_not_of_rows():
    said = [one.words for one in certainty_of_lists([model("one")])]
    assert said[0] == "Of 40 people the 95\u202f% interval of NDCG@10 is 10.0 points wide."
    assert "The best of 2 rivals is chosen by the same people's lists" in said[1]
    assert "another cut by time" in said[2].lower()


def harm(**changes) -> list[tuple[str, str]]:
    return [(said.level, said.words) for said in harm_of_lists([model("one", **changes)])]


@pytest.mark.parametrize(("after", "level"), [(0.25, "note"), (0.2501, "look")])
def test_a_push_that_more_than_doubles_the_lists_asks_for_a_look(after, level):
    pushed = {"items": 10.0, "people": 40.0, "listed_before": 0.125, "listed_after": after}
    found, words = harm(promotion=pushed)[0]
    assert found == level
    assert words == (
        "An item whose content is pushed towards what people want is in 25.0\u202f% of the lists of"
        " ten, as it is in 12.5\u202f%: mean of 10 items, each pushed by itself, over 40 people; no"
        " interval was measured."
    )


def test_people_of_one_event_are_lost_only_where_their_own_interval_lies_below():
    def rivals(low: float, high: float) -> dict[str, Any]:
        apart = {"value": -0.1, **ends(low, high)}
        return {"ease": rival(0.3, LEVEL, one_event_users=0.4, one_event_difference=apart)}

    level, words = harm(rivals=rivals(-0.2, -0.05))[1]
    assert level == "look"
    assert words == (
        "Of 7 people with one event NDCG@10 is 30.0\u202f%, that of their best rival, EASE,"
        " 40.0\u202f%; the difference is -10.0 points [-20.0, -5.0]."
    )
    assert harm(rivals=rivals(-0.2, 0.0))[1][0] == "note"


def test_the_best_rival_of_new_people_may_be_another():
    rivals = {"ease": rival(0.3, LEVEL, new_users=0.0), "popularity": rival(0.1, ABOVE)}
    rivals["popularity"]["new_users"] = 0.35
    level, words = harm(rivals=rivals)[2]
    assert level == "look"
    assert "6 people without any event NDCG@10 is 30.0\u202f%, that of their best rival" in words
    assert "popularity of all time, 35.0\u202f%" in words


@pytest.mark.parametrize(("found", "level"), [(0.0625, "look"), (0.063, "note")])
def test_items_without_events_are_set_beside_chance(found, level):
    cold = lists()["cold_items"] | {"recall_among_all": found}
    assert harm(cold_items=cold)[3][0] == level


def test_of_no_such_people_and_items_nothing_is_said():
    nobody = dict.fromkeys(COLUMNS, 0.0) | {"people": 0}
    changes = {"new_users": nobody, "one_event_users": nobody}
    cold = dict.fromkeys(lists()["cold_items"], 0.0)
    assert len(harm(**changes, cold_items=cold)) == 1


def test_of_two_models_each_figure_is_named():
    words = harm_of_lists([model("one"), model("two", score=0.35)])[2].words
    assert "NDCG@10 is 30.0\u202f% (One), 35.0\u202f% (Two)" in words


@pytest.mark.parametrize(("refused", "level"), [(10, "note"), (11, "look")])
def test_many_refused_events_ask_for_a_look(refused, level):
    events = INGEST["interactions"] | {
        "rows_quarantined": refused,
        "quarantined": {"no_user": 1, "unknown_item": refused - 1, "bad_time": 0},
    }
    found = looks_of_lists([model("one")], INGEST | {"interactions": events}, [], {})
    (said,) = [one for one in found if "events (" in one.words]
    assert said.level == level
    assert said.words.endswith(f"were refused: unknown_item {refused - 1}, no_user 1.")


def test_looks_tell_who_is_new_and_of_no_leaks_between_rows():
    words = [said.words for said in looks_of_lists([model("one")], INGEST, [], {})]
    new = "3 of the 9 people of the test events and 1 of their 8 items have no event before."
    assert new in words
    assert any("not of events" in one for one in words)
    without = looks_of_lists([model("one")], INGEST | {"interactions": None}, [], {})
    assert not [said for said in without if "event before" in said.words]
