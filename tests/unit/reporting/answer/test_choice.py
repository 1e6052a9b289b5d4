"""Which model to use: each rule at its edges."""

from __future__ import annotations

import pytest

from fuseline.reporting.answer.choice import LEVEL, choose
from fuseline.reporting.answer.measured import Measured, Model


def ends(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high}


def model(name: str, clean=(0.8, 0.7, 0.9), robust=(0.4, 0.3, 0.5), **changes) -> Model:
    metrics = {
        "task": "classification",
        "rows": 100,
        "accuracy": clean[0],
        "robust_accuracy": robust[0],
        "intervals": {"accuracy": ends(*clean[1:]), "robust_accuracy": ends(*robust[1:])},
    }
    return Model(name, name.title(), metrics | changes)


def verdict(first: Model, other: Model, paired=None, majority: float = 0.0) -> str:
    return choose([first, other], paired or {}, majority).verdict


def of_paired_test(p_value: float, difference: float) -> dict[str, object]:
    return {"one_and_two": {"rows": 50, "p_value": p_value, "difference": difference}}


def words(choice) -> str:
    return " ".join(said.words for said in choice.reasons)


def test_intervals_that_overlap_tell_nothing_apart_and_are_said_to_overlap():
    choice = choose([model("one"), model("two")], {}, 0.0)
    assert choice.verdict == "Take either: nothing measured tells One and Two apart."
    assert [one.name for one in choice.models] == ["one", "two"]
    assert words(choice).count("the intervals overlap") == 2
    assert "do not overlap" not in words(choice)


@pytest.mark.parametrize(
    ("low", "expected"), [(0.5, "Take either"), (0.500001, "Use the model Two.")]
)
def test_attack_decides_only_where_the_intervals_do_not_even_meet(low, expected):
    assert verdict(model("one"), model("two", robust=(0.6, low, 0.7))).startswith(expected)


def test_an_attack_that_failed_a_check_decides_nothing():
    strong = model("two", robust=(0.6, 0.55, 0.7), robustness={"audit": {"passed": False}})
    choice = choose([model("one"), strong], {}, 0.0)
    assert choice.verdict.startswith("Take either")
    assert "The attack on Two failed a check" in words(choice)


@pytest.mark.parametrize(
    ("p_value", "difference", "expected"),
    [
        (LEVEL, 0.1, "Take either"),
        (LEVEL - 1e-9, 0.1, "Use the model Two."),
        (LEVEL - 1e-9, -0.1, "Use the model One."),
    ],
)
def test_the_paired_test_decides_what_is_right_without_an_attack(p_value, difference, expected):
    found = verdict(model("one"), model("two"), of_paired_test(p_value, difference))
    assert found.startswith(expected)


def test_where_a_paired_test_is_there_intervals_do_not_decide():
    far = model("two", clean=(0.99, 0.95, 1.0))
    assert verdict(model("one"), far, of_paired_test(0.5, 0.1)).startswith("Take either")
    assert verdict(model("one"), far) == "Use the model Two."


def test_what_wins_under_attack_and_loses_without_is_a_choice_of_the_reader():
    strong = model("two", robust=(0.6, 0.55, 0.7))
    choice = choose([model("one"), strong], of_paired_test(0.01, -0.2), 0.0)
    assert choice.verdict == (
        "It depends: Two where inputs may be attacked, One where they are not."
    )
    assert "p = 0.01) finds One right more often, by 20.0 points" in words(choice)
    assert len(choice.models) == 2


@pytest.mark.parametrize(("majority", "weak"), [(0.7, True), (0.699, False), (0.0, False)])
def test_a_model_that_the_commonest_label_may_equal_is_none_to_rely_on(majority, weak):
    found = verdict(model("one"), model("two"), majority=majority)
    assert found.startswith("Rely on none yet") == weak
    one = choose([model("one")], {}, majority)
    assert one.verdict.startswith("Rely on none yet" if weak else "One is the only model.")


@pytest.mark.parametrize(
    ("twin", "level", "said"),
    [
        (0.699, "fine", "worse than all of the interval"),
        (0.7, "look", "no gain over it is shown"),
        (0.9, "look", "no gain over it is shown"),
        (0.901, "look", "better than all of the interval"),
    ],
)
def test_the_linear_model_is_compared_with_the_interval(twin, level, said):
    (found,) = choose([model("one", twin={"accuracy": twin})], {}, 0.0).reasons
    assert found.level == level
    assert said in found.words


def test_what_holds_for_both_models_is_said_once():
    pair = [model(name, twin={"accuracy": 0.75}) for name in ("one", "two")]
    assert words(choose(pair, {}, 0.0)).endswith(
        "reaches 75.0\u202f%, within the interval of One and Two: no gain over it is shown."
    )


def test_of_errors_the_smaller_is_the_better():
    low = {"task": "regression", "rmse": 1.0, "intervals": {"rmse": ends(0.9, 1.1)}}
    high = low | {"rmse": 2.0, "intervals": {"rmse": ends(1.5, 2.5)}}
    metrics = low | {"twin": {"rmse": 2.0}, "text_only": {"rmse": 1.05}, "image_only": {"rmse": 3}}
    choice = choose([Model("one", "One", high), Model("two", "Two", metrics)], {}, 0.0)
    assert choice.verdict == "Use the model Two."
    assert [said.level for said in choice.reasons[1:]] == ["fine", "look"]
    assert "The best modality alone, text, reaches 1.05, within" in choice.reasons[2].words


def test_without_intervals_nothing_is_claimed():
    figures = {"task": "retrieval", "recall_at_1": 0.1}
    pair = [Model("a", "A", figures), Model("b", "B", figures | {"recall_at_1": 0.9})]
    choice = choose(pair, {}, 0.0)
    assert choice.verdict == "Take either: nothing measured tells A and B apart."
    assert words(choice).endswith("no intervals were measured.")


def test_a_share_of_rows_has_its_interval_and_none_without_rows():
    found = Measured.of_rows("accuracy", 0.5, 10)
    assert (round(found.low, 3), round(found.high, 3)) == (0.237, 0.763)
    assert str(Measured.of_rows("accuracy", 0.5, 0)) == "50.0\u202f%"
    assert Measured.of_rows("accuracy", 1.0, 10).high == 1.0
