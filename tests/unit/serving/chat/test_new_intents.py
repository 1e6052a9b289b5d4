"""Intents that are added from a few sentences."""

from pathlib import Path

import numpy as np
import pytest

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.chat.new_intents import (
    Bank,
    NewIntents,
    added_intent,
    read_added,
    sentences_of,
    with_added,
    write_added,
)

SENTENCES = [f"sentence {number}" for number in range(5)]


def around(place: int, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (np.eye(8)[place] + rng.normal(scale=0.1, size=(count, 8))).astype(np.float32)


def bank() -> Bank:
    vectors = np.concatenate([around(0, 200), around(1, 200)])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Bank(unit, np.array(["ant"] * 200 + ["bee"] * 200, dtype=object))


def test_an_added_intent_is_told_from_learnt_ones() -> None:
    added = NewIntents({"cat": around(2, 5, 1), "dog": around(3, 5, 2)}, bank())
    assert {added.match(one) for one in around(2, 50, 3)} == {"cat"}
    assert {added.match(one) for one in around(3, 50, 4)} == {"dog"}
    assert {added.match(one) for one in around(0, 50, 5)} == {None}


def test_it_takes_no_more_of_the_learnt_ones_than_is_allowed() -> None:
    """Even where its sentences lie among theirs."""
    added = NewIntents({"ant 2": around(0, 5, 1)}, bank())
    assert sum(added.match(one) is not None for one in bank().vectors) <= 2


def test_none_are_matched_where_none_were_added() -> None:
    assert NewIntents({}, bank()).match(around(0, 1)[0]) is None


def test_the_file_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "new_intents.jsonl"
    assert read_added(path) == []
    new = added_intent("cat", SENTENCES)
    write_added(path, with_added([added_intent("dog", SENTENCES)], ["ant"], new))
    assert [one.intent for one in read_added(path)] == ["dog", "cat"]
    again = added_intent("dog", [*SENTENCES, "one more"])
    assert [len(one.sentences) for one in with_added(read_added(path), [], again)] == [5, 6]


def test_what_is_no_intent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"'cat': expected 5 to 1000 different .* found 4"):
        added_intent("cat", [*SENTENCES[:4], "Sentence 3!"])
    with pytest.raises(ContractError, match=r"expected a name with a word"):
        added_intent(" ", SENTENCES)
    for name in ("a\nb", " a", "a\x1b[2J"):
        with pytest.raises(ContractError, match=r"expected a name of one line"):
            added_intent(name, SENTENCES)
    with pytest.raises(ContractError, match=r"'ant': the model has learnt one of this name"):
        with_added([], ["ant"], added_intent("ant", SENTENCES))
    path = tmp_path / "new_intents.jsonl"
    path.write_text('{"intent": "cat"}\n')
    with pytest.raises(ContractError, match=r"line 1: sentences: Field required"):
        read_added(path)
    with pytest.raises(ContractError, match=r"none.txt: cannot be read"):
        sentences_of(tmp_path / "none.txt")


def test_sentences_with_separators_of_lines_within_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new_intents.jsonl"
    new = added_intent("cat", [*SENTENCES, "one\u2028two\u0085three\x0bfour\nfive"])
    write_added(path, [new])
    assert read_added(path) == [new]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_added(path) == [new]


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "new_intents.jsonl"
    path.write_bytes('{"intent": "Grüße"'.encode("latin-1"))
    with pytest.raises(ContractError, match=r"not UTF-8 text .* move it away"):
        read_added(path)
    with pytest.raises(ConfigError, match=r"cannot be written \(No such file"):
        write_added(tmp_path / "none" / "new_intents.jsonl", [])
