"""Shares of obeyed values, by hand."""

from fuseline.learning.tasks.controls import Length, Reference
from fuseline.learning.tasks.obedience import Values, obedience, own_values

LENGTH = Length({"short": 1, "medium": 2, "values": ["long", "medium", "short"]})
TWO = Length({"short": 1, "medium": 1, "values": ["long", "short"]})
BY_LENGTH = {"short": "a", "medium": "a b", "long": "a b c"}
REFERENCES = [Reference("a"), Reference("a b c"), None, Reference("a b c"), Reference("a")]


def obeying(values: Values) -> list[str]:
    return [BY_LENGTH[value or "short"] for value in values["length"]]


def test_values_that_training_has_not_shown_are_left_open():
    assert own_values({"length": TWO}, [*REFERENCES[:3], Reference("a b")]) == {
        "length": ["short", "long", None, "long"]
    }
    few = Length(LENGTH.facts | {"values": ["long", "short"]})
    assert own_values({"length": few}, [Reference("a b")]) == {"length": [None]}


def test_a_model_that_obeys():
    texts = obeying(own_values({"length": TWO}, REFERENCES))
    assert obedience(obeying, texts, {"length": TWO}, REFERENCES, 0) == {
        "obeyed_length_own": 1.0, "obeyed_length": 1.0,
        "ignored_length": 0.0, "checked_length": 1.0,
    }  # fmt: skip


def test_a_model_that_ignores_the_prefix_obeys_as_often_as_it_ignores():
    texts = ["a", "a", "a", "a b c", "a b c"]
    found = obedience(lambda _: texts, texts, {"length": TWO}, REFERENCES, 0)
    # Asked for the other of two values, it fits where its own text does not fit the reference's.
    assert found == {
        "obeyed_length_own": 0.5, "obeyed_length": 0.5,
        "ignored_length": 0.5, "checked_length": 1.0,
    }  # fmt: skip


def test_values_asked_for_hang_on_the_seed_and_are_never_the_own():
    asked = []

    def write(values: Values) -> list[str]:
        asked.append(values["length"])
        return [""] * len(references)

    references = [Reference("a b")] * 40
    for seed in (1, 1, 2):
        obedience(write, [""] * 40, {"length": LENGTH}, references, seed)
    assert asked[0] == asked[1] != asked[2]
    assert set(asked[0]) == {"long", "short"}


def test_nothing_to_ask_for_is_no_share():
    found = obedience(lambda _: [""], [""], {"length": TWO}, [None], 0)
    assert set(found.values()) == {0.0}
