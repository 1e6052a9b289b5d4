"""What a service's file may say, and how it is told what is wrong."""

from pathlib import Path

import pytest

from fuseline.errors import ConfigError
from fuseline.serving.chat.config import check_intents, read_service
from tests.support.services import LABELS, service, write_service


def test_a_right_file_is_read(tmp_path: Path) -> None:
    told = service(tmp_path)
    assert told.params.limits.history_turns == 4
    assert told.file("knowledge.csv") == tmp_path / "knowledge.csv"


def test_a_file_that_is_not_there_names_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"service.yaml: not found.*init --recipe service"):
        read_service(tmp_path / "service.yaml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"limits__history_turns": 0}, "service.limits.history_turns: .*greater than or equal"),
        ({"hand_over__webhook": {"url": "ftp://x"}}, "service.hand_over.webhook.url"),
        ({"slots": {"amount": "("}}, r"service.slots.amount: not a regular expression .*: '\('"),
        ({"slots": {"amount": "a{9999999999999999999}"}}, "not a regular expression .repeat count"),
        ({"slots": {"amount": "(" * 3000 + ")" * 3000}}, "not a regular expression .maximum recur"),
        ({"hand_over__wishes": ["?!"]}, r"service.hand_over.wishes: expected a word, found '\?!'"),
        ({"names": {"ant": "—"}}, "service.names: expected a word"),
        ({"small_talk": [{"phrases": [":)"], "text": "Hi."}]}, "service.small_talk: expected a wo"),
        ({"hand_over__file": "./knowledge.csv"}, "hand_over.file: .*that of service.knowledge"),
        ({"new_intents": "."}, "service.new_intents: expected a file, found the folder"),
        ({"hand_over__file": ".."}, "service.hand_over.file: expected a file, found the folder"),
        ({"new_intents": "service.yaml"}, "service.new_intents: .* own, found this file"),
        (
            {"templates": {"ant": ["{amonut} and more", "more"]}},
            "service.templates.ant: no slot 'amonut'. .* Did you mean 'amount'",
        ),
        ({"templates": {"ant": ["{amount}"]}}, "expected a last template without slots"),
        ({"templates": {"ant": []}}, "expected a last template without slots"),
        ({"texts__ask_back": "{third}?"}, "service.texts.ask_back: .* found {third}"),
        (
            {"retrieval__weights": {"words": 0.0, "question": 0.0, "answer": 0.0}},
            "service.retrieval.weights: expected one above 0",
        ),
        ({"retrieval__false_answers": 0.0}, "service.retrieval.false_answers"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_service(write_service(tmp_path, **changes))


def test_an_unknown_key_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = write_service(tmp_path)
    path.write_text(path.read_text() + "knowlege: x.csv\n")
    with pytest.raises(ConfigError, match=r"service.knowlege: unknown key.*'knowledge'"):
        read_service(path)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"templates": {"bea": ["Buzz."]}}, "templates"),
        ({"names": {"bea": "a bee"}}, "names"),
        ({"hand_over__intents": ["bea"]}, "hand_over.intents"),
    ],
)
def test_intents_are_those_of_the_model(tmp_path: Path, changes: dict, key: str) -> None:
    said = f"service.{key}: no intent 'bea'. .*ant, bee, cat. Did you mean 'bee'"
    with pytest.raises(ConfigError, match=said):
        check_intents(service(tmp_path, **changes), LABELS)
