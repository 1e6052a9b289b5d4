"""Scripts of dialogues, and what went rightly."""

import json
from pathlib import Path

import pytest

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.chat.evaluation import Outcome, ScriptTurn, is_right, measured, read_scripts
from fuseline.serving.chat.reply import Choice, Reply
from fuseline.serving.chat.retrieval import Found
from tests.support.services import entries

FOUND = Found(entries()[0], 2.0)
ANSWER = Reply("answer", "An Ant.", intent="ant", sources=[FOUND])
NOTHING = Reply("hand_over", "No.", reason="nothing_found")
WISH = Reply("hand_over", "Yes.", reason="wish")
ASK = Reply("ask", "Which?", choices=[Choice("ant", "an ant"), Choice("bee", "a bee")])


@pytest.mark.parametrize(
    ("expected", "right", "wrong"),
    [
        ({"expect": "answer"}, [ANSWER], [NOTHING, WISH, ASK]),
        ({"expect": "answer", "intent": "ant", "contains": "ant"}, [ANSWER], []),
        ({"expect": "answer", "intent": "bee"}, [], [ANSWER]),
        ({"expect": "answer", "contains": "bee"}, [], [ANSWER]),
        ({"expect": "answer", "source": "page 1"}, [ANSWER], []),
        ({"expect": "answer", "source": "page 2"}, [], [ANSWER]),
        ({"expect": "refuse"}, [NOTHING, Reply("unsure", "?")], [ANSWER, WISH, ASK]),
        ({"expect": "ask", "intent": "bee"}, [ASK], [ANSWER]),
        ({"expect": "ask", "intent": "cat"}, [], [ASK]),
        ({"expect": "hand_over"}, [WISH, NOTHING], [ANSWER, ASK]),
        ({"expect": "hand_over", "reason": "wish"}, [WISH], [NOTHING]),
    ],
)
def test_a_reply_is_right_or_wrong(expected: dict, right: list, wrong: list) -> None:
    turn = ScriptTurn.model_validate({"user": "x"} | expected)
    assert [is_right(turn, one) for one in right] == [True] * len(right)
    assert [is_right(turn, one) for one in wrong] == [False] * len(wrong)


def test_shares_have_intervals_and_dialogues_are_counted_whole() -> None:
    turns = [("answer", ANSWER), ("answer", ASK), ("refuse", ANSWER), ("hand_over", WISH)]
    outcomes = [
        Outcome(line, turn, reply, is_right(turn, reply))
        for line, (kind, reply) in enumerate(turns)
        for turn in [ScriptTurn(user="x", expect=kind)]
    ]
    found = measured(outcomes)
    assert found["answered rightly"] == {"share": 0.5, "low": 0.0945, "high": 0.9055, "of": 2}
    assert found["made up"]["share"] == 1.0
    assert found["dialogues rightly"]["share"] == 0.5
    assert "asked back rightly" not in found


def test_a_wrong_script_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dialogues.jsonl"
    path.write_text('{"turns": [{"user": "hi", "expect": "answer"}]}\n{"turns": []}\n')
    with pytest.raises(ContractError, match=r"line 2: turns: .*at least 1"):
        read_scripts(path)
    path.write_text("")
    with pytest.raises(ConfigError, match=r"expected a dialogue a line, found none"):
        read_scripts(path)
    with pytest.raises(ConfigError, match=r"cannot be read"):
        read_scripts(tmp_path / "none.jsonl")


def test_lines_end_where_json_lines_do(tmp_path: Path) -> None:
    path = tmp_path / "dialogues.jsonl"
    line = '{"turns": [{"user": "one\u2028two", "expect": "answer"}]}\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + (2 * line).encode())
    assert [one.turns[0].user for one in read_scripts(path)] == ["one\u2028two"] * 2


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ({"expect": "refuse", "reason": "wish"}, "by nothing else; found reason"),
        ({"expect": "hand_over", "contains": "x"}, "by reason; found contains"),
        ({"expect": "ask", "source": "x"}, "by intent; found source"),
    ],
)
def test_what_nothing_would_be_compared_with_is_refused(
    tmp_path: Path, turn: dict, said: str
) -> None:
    path = tmp_path / "dialogues.jsonl"
    path.write_text(json.dumps({"turns": [{"user": "hi"} | turn]}))
    with pytest.raises(ContractError, match=f"line 1: turns.0: .*{said}"):
        read_scripts(path)
