"""Conversations in a terminal, with a small model that was never trained."""

import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.errors import ConfigError, ContractError
from fuseline.serving.chat.assembling import build_dialogue, options
from fuseline.serving.chat.command import Asked, added_intents, converse, evaluate
from fuseline.serving.chat.config import read_service
from fuseline.serving.contract import ExportContract, read_contract, write_contract
from fuseline.serving.predictor import Predictor
from tests.support.services import ROWS, write_service
from tests.support.untrained_export import changed


def asked(path: Path, export: Path) -> Asked:
    return Asked(path, export, int8=False, threads=1)


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_lines_are_answered_as_json_and_hand_overs_kept(
    tmp_path: Path,
    export: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    type_in(monkeypatch, "hello", "", "talk to a human")
    converse(asked(write_service(tmp_path, hand_over__file="desk.jsonl"), export))
    replies = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["kind"] for one in replies] == ["answer", "hand_over"]
    (record,) = (tmp_path / "desk.jsonl").read_text().splitlines()
    assert json.loads(record)["transcript"][0] == {"who": "user", "text": "hello"}


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_bytes_that_are_no_text_are_answered(
    errors: str,
    tmp_path: Path,
    export: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"ant \xff bee\nhello\n"), "utf-8", errors)
    monkeypatch.setattr("sys.stdin", given)
    converse(asked(write_service(tmp_path), export))
    replies = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["kind"] for one in replies] == ["hand_over", "hand_over"]


def test_a_hand_over_that_cannot_be_kept_is_told_of(
    tmp_path: Path,
    export: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fuseline.serving.chat.hand_over.Desk.take", fail)
    type_in(monkeypatch, "talk to a human")
    converse(asked(write_service(tmp_path), export))
    assert capsys.readouterr().err == "hand-over not kept: No space left on device\n"


def test_in_a_terminal_people_read_it(
    tmp_path: Path,
    export: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    type_in(monkeypatch, "hello", "I want to complain")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    converse(asked(write_service(tmp_path), export))
    assert capsys.readouterr().out == "Good day.\nI am sorry.\n  handed over: complaint\n"


def test_dialogues_are_played_and_measured(
    tmp_path: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [{"user": "hello", "expect": "answer", "contains": "day"}]
    script = [{"turns": turns}, {"turns": [*turns, {"user": "hello", "expect": "hand_over"}]}]
    path = tmp_path / "dialogues.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in script))
    assert evaluate(asked(write_service(tmp_path), export), path)
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["answered rightly"]["share"] == 1.0
    assert (found["dialogues rightly"]["share"], found["dialogues rightly"]["of"]) == (0.5, 2)
    assert "line 2: expected" in shown.err


def test_intents_are_added_and_shown(tmp_path: Path, export: Path) -> None:
    service = write_service(tmp_path, templates={"tab": ["A tab."]})
    with pytest.raises(ConfigError, match=r"no intent 'tab'"):
        build_dialogue(read_service(service), Predictor(export, options(int8=False, threads=1)))
    sentences = tmp_path / "tab.txt"
    sentences.write_text("tab\ntab can\ncan tab\ntab tab\n\ntab can tab\n")
    where = ["--service", str(service)]
    add = ["intents", "add", "tab", str(sentences), *where, "--model", str(export)]
    told = CliRunner().invoke(app, add)
    assert told.exit_code == 0, told.output
    assert "'tab' added, from 5 sentences" in told.output
    assert added_intents(service) == ["tab: 5 sentences"]
    assert CliRunner().invoke(app, ["intents", "show", *where]).output == "tab: 5 sentences\n"
    build_dialogue(read_service(service), Predictor(export, options(int8=False, threads=1)))
    known = ["intents", "add", "ant", str(sentences), *where, "--model", str(export)]
    told = CliRunner().invoke(app, known)
    assert (told.exit_code, "has learnt one of this name" in told.output) == (2, True)


def test_a_wrong_intent_of_the_knowledge_is_named_with_its_row(
    tmp_path: Path, export: Path
) -> None:
    rows = [*ROWS[:2], ("Who?", "I.", "antt"), *ROWS[3:]]
    service = read_service(write_service(tmp_path, rows))
    with pytest.raises(ContractError, match=r"row 3: no intent 'antt'. .* Did you mean 'ant'"):
        build_dialogue(service, Predictor(export, options(int8=False, threads=1)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"certainty": None}, "whose first task is a classification"),
        ({"modalities": ["image"]}, "a model that reads text, found one of image"),
    ],
)
def test_a_model_that_tells_no_intents_of_texts_is_refused(
    tmp_path: Path, export: Path, changes: dict, said: str
) -> None:
    folder = changed(export, tmp_path / "export", ["ant", "bee", "cat"], "1" * 64)
    content = read_contract(folder).model_dump() | changes
    write_contract(folder, ExportContract.model_validate(content))
    with pytest.raises(ConfigError, match=said):
        converse(asked(write_service(tmp_path), folder))


def test_a_service_that_is_not_there_ends_with_status_two(export: Path) -> None:
    told = CliRunner().invoke(app, ["chat", "--service", "no.yaml", "--model", str(export)])
    assert (told.exit_code, "no.yaml: not found" in told.output) == (2, True)
