"""Slots of templates."""

import time

from fuseline.serving.chat.slots import Slots, filled

SLOTS = Slots({"amount": r"[£$€]\s?\d+", "card": r"my (\w+) card"})


def test_slots_are_filled_by_the_first_match_or_its_group() -> None:
    assert SLOTS.found("My Gold card lost £ 20, then £30") == {"amount": "£ 20", "card": "Gold"}
    assert SLOTS.found("nothing") == {}


def test_the_first_template_that_can_be_filled_is_taken() -> None:
    templates = ["{amount} by {card}", "{amount}", "none"]
    assert filled(templates, {"amount": "£1", "card": "{gold}"}) == "£1 by {gold}"
    assert filled(templates, {"amount": "£1"}) == "£1"
    assert filled(templates, {}) == "none"


def test_a_pattern_that_explodes_on_a_message_finds_nothing_in_it() -> None:
    slots = Slots({"bad": r"(a|aa)+$", "amount": r"£\d+"})
    start = time.monotonic()
    assert slots.found("a" * 100 + " £5") == {"amount": "£5"}
    assert time.monotonic() - start < 5.0
