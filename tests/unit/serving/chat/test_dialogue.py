"""What is said to a message, turn by turn."""

import time
from pathlib import Path

import pytest

from fuseline.serving.chat.dialogue import Dialogue
from fuseline.serving.chat.reply import HandOver, Reply
from fuseline.serving.chat.session import Session
from fuseline.serving.cleaning import Refused
from tests.support.services import dialogue, service, understood

CLOSE = {"ant": 0.45, "bee": 0.4}
SURE = {"ant": 0.9, "bee": 0.05, "sure": True}
ANT, BEE = {"ant": ["An ant."]}, {"bee": ["A bee for {amount}.", "A bee."]}
BOTH = {"templates": ANT | BEE}


def said(one: Dialogue, session: Session, message: str, **seen: object) -> Reply:
    return one.turn(session, message, understood(**seen))[0]


@pytest.fixture
def plain(tmp_path: Path) -> Dialogue:
    return dialogue(service(tmp_path))


def test_a_sure_intent_is_answered_by_its_template_with_slots(tmp_path: Path) -> None:
    one = dialogue(service(tmp_path, **BOTH))
    bee = {"ant": 0.05, "bee": 0.9, "sure": True}
    reply = said(one, one.begin(), "a bee for £5", **bee)
    assert (reply.kind, reply.by, reply.text) == ("answer", "template", "A bee for £5.")
    assert (reply.intent, reply.confidence, reply.in_scope) == ("bee", 0.9, True)
    assert said(one, one.begin(), "a bee", **bee).text == "A bee."


def test_a_sure_intent_without_template_is_answered_by_its_entries(plain: Dialogue) -> None:
    reply = said(plain, plain.begin(), "what do they eat", **SURE)
    assert (reply.by, reply.text) == ("knowledge", "Sugar, mostly.")
    assert [found.entry.source for found in reply.sources] == ["page 6"]


def test_what_is_out_of_scope_is_answered_only_by_evident_entries(plain: Dialogue) -> None:
    far = SURE | {"in_scope": False}
    reply = said(plain, plain.begin(), "credentials", place=0, **far)
    assert (reply.kind, reply.text) == ("answer", "Choose 'Forgotten password'.")
    assert (reply.intent, reply.in_scope) == (None, False)
    reply, record = plain.turn(plain.begin(), "quantum gravity", understood(**far))
    assert (reply.kind, reply.reason, reply.sources) == ("hand_over", "nothing_found", ())
    assert record is not None


def test_close_intents_are_asked_back_for_and_a_choice_answers_the_first_message(
    tmp_path: Path,
) -> None:
    one = dialogue(service(tmp_path, **BOTH, names={"bee": "a honey bee"}))
    for choice in ("2", "the second one", "A honey bee, please"):
        session = one.begin()
        reply = said(one, session, "an insect for £7", **CLOSE)
        assert (reply.kind, reply.text) == ("ask", "Is it ant or a honey bee?")
        assert [choice.intent for choice in reply.choices] == ["ant", "bee"]
        reply = said(one, session, choice, **CLOSE)
        assert (reply.kind, reply.text, reply.confidence) == ("answer", "A bee for £7.", None)
        assert session.pending is None


@pytest.mark.parametrize(
    ("said_then", "text"),
    [("Wrong exchange rate", "A bee for £7."), ("exchange rate", "An ant.")],
)
def test_a_name_within_the_other_is_chosen_too(said_then: str, text: str, tmp_path: Path) -> None:
    names = {"ant": "exchange rate", "bee": "wrong exchange rate"}
    one = dialogue(service(tmp_path, **BOTH, names=names))
    session = one.begin()
    said(one, session, "an insect for £7", **CLOSE)
    assert said(one, session, said_then, **CLOSE).text == text


def test_what_answers_neither_way_is_a_message_of_its_own(tmp_path: Path) -> None:
    one = dialogue(service(tmp_path, **BOTH))
    session = one.begin()
    said(one, session, "an insect", **CLOSE)
    assert said(one, session, "ant or bee, who knows", **SURE).text == "An ant."


def test_close_intents_that_nothing_answers_are_not_asked_back_for(plain: Dialogue) -> None:
    assert said(plain, plain.begin(), "an insect", **CLOSE).kind == "unsure"


def test_two_messages_that_are_not_understood_hand_over(tmp_path: Path) -> None:
    one = dialogue(service(tmp_path, **BOTH))
    session = one.begin()
    assert said(one, session, "an insect", **CLOSE).kind == "ask"
    reply = said(one, session, "hm", ant=0.5, bee=0.1)
    assert (reply.kind, reply.reason, reply.text) == (
        "hand_over",
        "unsure",
        "I do not understand.",
    )


def test_an_answer_between_them_begins_the_count_anew(tmp_path: Path) -> None:
    one = dialogue(service(tmp_path, **BOTH))
    session = one.begin()
    said(one, session, "hm", ant=0.5, bee=0.1)
    said(one, session, "an ant", **SURE)
    assert said(one, session, "hm", ant=0.5, bee=0.1).kind == "unsure"


@pytest.mark.parametrize(
    ("message", "reason"),
    [("Let me TALK to a human!", "wish"), ("I want to complain.", "complaint")],
)
def test_who_asks_for_a_person_gets_one(plain: Dialogue, message: str, reason: str) -> None:
    reply, record = plain.turn(plain.begin(), f"{message} You fucker", understood(**SURE))
    assert (reply.kind, reply.reason) == ("hand_over", reason)
    assert record is not None
    assert record.as_object()["understood"]["candidates"][0] == {
        "intent": "ant",
        "probability": 0.9,
    }


def test_an_intent_may_always_be_a_persons(tmp_path: Path) -> None:
    one = dialogue(service(tmp_path, hand_over__intents=["ant"]))
    reply = said(one, one.begin(), "ants", **SURE)
    assert (reply.kind, reply.reason, reply.intent) == ("hand_over", "intent", "ant")


def test_after_a_hand_over_a_person_answers(plain: Dialogue) -> None:
    session = plain.begin()
    said(plain, session, "talk to a human")
    reply, record = plain.turn(session, "where is my parcel", understood(1))
    assert (reply.kind, reply.text, reply.reason) == ("hand_over", "A colleague has it.", None)
    assert record is None


def test_the_record_tells_what_was_said_with_personal_data_masked(tmp_path: Path) -> None:
    one = dialogue(service(tmp_path))
    session = one.begin()
    said(one, session, "I am ada@example.org, where is my parcel", place=1)
    _, record = one.turn(session, "talk to a human about £9", understood(place=1))
    assert isinstance(record, HandOver)
    content = record.as_object()
    assert content["reason"] == "wish"
    assert content["transcript"] == [
        {"who": "user", "text": "I am [EMAIL], where is my parcel"},
        {"who": "service", "text": "Open your order and choose 'Follow'."},
        {"who": "user", "text": "talk to a human about £9"},
        {"who": "service", "text": "As you wish."},
    ]
    assert content["understood"]["slots"] == {"amount": "£9"}


def test_the_history_is_bounded(plain: Dialogue) -> None:
    session = plain.begin()
    for number in range(9):
        said(plain, session, f"hello {number}", place=0)
    assert [turn.text for turn in session.turns][::2] == ["hello 7", "hello 8"]


def test_what_is_not_read_is_said_to_be(plain: Dialogue) -> None:
    refused = Refused(0, None, "empty_text", "The text is empty.")
    assert plain.turn(plain.begin(), "?", refused)[0].text == "I cannot read that."
    assert said(plain, plain.begin(), "x" * 201).kind == "refused"
    assert said(plain, plain.begin(), "you fucker", **SURE).text == "Not with such words."


def test_what_is_too_long_is_not_remembered(plain: Dialogue) -> None:
    """Nor looked at: millions of digits would take minutes."""
    session = plain.begin()
    start = time.monotonic()
    assert said(plain, session, "1 2-" * 1_000_000).kind == "refused"
    assert session.turns[0].text == "[MORE THAN 200 CHARACTERS]"
    assert time.monotonic() - start < 5.0


def test_small_talk_is_answered(plain: Dialogue) -> None:
    reply = said(plain, plain.begin(), "Hello!")
    assert (reply.kind, reply.by, reply.text) == ("answer", "small_talk", "Good day.")


def test_a_slot_gives_no_personal_data_back(tmp_path: Path) -> None:
    changes = {"slots": {"address": r"\S+@\S+"}, "templates": {"ant": ["To {address}.", "Sent."]}}
    one = dialogue(service(tmp_path, **changes))
    assert said(one, one.begin(), "to ada@example.org", **SURE).text == "Sent."


def test_the_same_messages_get_the_same_replies(plain: Dialogue) -> None:
    def told() -> list[Reply]:
        session = plain.begin()
        return [said(plain, session, text, place=1) for text in ("parcel", "hm", "shoes")]

    assert told() == told()
