"""Rows with several texts from the file to their tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuseline.contracts import EXAMPLES, QUARANTINE, TEXT_JOINT, TOKENS, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.validate import Validator
from fuseline.data.modalities.text.tokenizer import load_tokenizer, tokenize_examples
from fuseline.data.sources import RawRow
from fuseline.params.ingest import IngestParams
from fuseline.params.tokenize import CharacterParams, ScratchTextParams, TokenizeParams

Build = Callable[..., IngestParams]


def _kept(params: IngestParams, *texts: str) -> dict[str, Any]:
    row = RawRow(source_row=0, example_id="r", text=texts[0], more_texts=texts[1:], raw={})
    return Validator(params, frozenset({"text"}), {}).keep(row).record


@pytest.mark.parametrize(
    ("texts", "kept", "sanitised"),
    [
        (("one", "two"), ["one", "two"], []),
        (("one", "two", "three"), ["one", "two", "three"], []),
        ((" one", "two \n"), ["one", "two"], ["text:whitespace"]),
        (("\u200b", "two"), ["two"], ["text:empty"]),
        (("one", " "), ["one"], ["text:empty"]),
        # The sign that parts texts is in none of them.
        (("one\u2029half", "two"), ["one\nhalf", "two"], ["text:control_characters"]),
        (("write to", "me@example.com"), ["write to", "[EMAIL]"], ["text:email"]),
        (("me@example.com", "you@example.com"), ["[EMAIL]", "[EMAIL]"], ["text:email"]),
        # Two halves of a number in two texts are no number.
        (("call 030 123", "45678 times"), ["call 030 123", "45678 times"], []),
    ],
)
def test_each_text_is_cleaned_and_screened_alone(
    build_params: Build, texts: tuple[str, ...], kept: list[str], sanitised: list[str]
) -> None:
    record = _kept(build_params(), *texts)
    assert record["text"] == TEXT_JOINT.join(kept)
    assert record["sanitised"] == sanitised


def test_harm_in_a_later_text_is_found(build_params: Build) -> None:
    record = _kept(build_params(), "a title", "=HYPERLINK(1)")
    assert record["findings"] == ["text:formula"]


def test_a_row_without_any_text_has_none(build_params: Build) -> None:
    with pytest.raises(Refusal, match="No visible text"):
        _kept(build_params(), "\u200b", " ")


def test_the_limit_is_one_of_each_text(build_params: Build) -> None:
    params = build_params(limits={"max_text_characters": 5})
    assert _kept(params, "12345", "12345")["text"] == f"12345{TEXT_JOINT}12345"
    with pytest.raises(Refusal, match=r"text: 6 characters; .* is 5"):
        _kept(params, "1", "123456")


def _row(number: int, **changes: str) -> dict[str, str]:
    row = {"id": f"r{number}", "title": f"title {number}", "body": f"body number {number}"}
    return row | {"label": "xy"[number % 2]} | changes


def test_rows_from_file_to_tokens(
    build_params: Build, write_csv: Callable[[list[dict[str, str]]], Path], tmp_path: Path
) -> None:
    rows = [_row(number) for number in range(8)]
    rows += [_row(8, title=""), _row(9, title="", body=" "), _row(10, body="long " * 20)]
    columns = {"id": "id", "text": ["title", "body"], "image": None, "label": "label"}
    manifest = {"path": str(write_csv(rows)), "columns": columns}
    params = build_params(source="manifest", manifest=manifest, min_label_rows=1)
    examples, quarantine = tmp_path / "examples", tmp_path / "quarantine"
    metrics = ingest_examples(params, examples, quarantine, raw=tmp_path / "raw")
    assert (metrics["rows_in"], metrics["rows_kept"]) == (11, 10)
    (refused,) = read_table(quarantine, QUARANTINE, "quarantine").to_pylist()
    assert refused["reason"] == "empty_text"
    assert json.loads(refused["raw"]) == {"id": "r9", "title": None, "body": " ", "label": "y"}
    texts = read_table(examples, EXAMPLES, "examples", ["text"]).column("text").to_pylist()
    assert texts[0] == "title 0\u2029body number 0"
    assert texts[8] == "body number 8"

    scratch = ScratchTextParams(vocab_size=200, hidden_size=8, num_layers=1, num_heads=1)
    characters = CharacterParams(vocab_size=200, hidden_size=8, longest_run=3)
    told = TokenizeParams(
        encoder="scratch", max_length_tokens=16, characters=characters, scratch=scratch
    )
    metrics = tokenize_examples(examples, tmp_path / "tokens", tmp_path / "tokenizer", told)
    assert (metrics["rows"], metrics["truncated_rows"]) == (10, 1)
    table = read_table(tmp_path / "tokens", TOKENS, "tokens")
    separator = load_tokenizer(tmp_path / "tokenizer").token_to_id("[SEP]")
    ids = table.column("input_ids").to_pylist()
    assert [row.count(separator) for row in ids] == [2] * 8 + [1, 2]
    assert all(row[-1] == separator for row in ids)
    assert len(ids[9]) == 16


def test_rows_alike_in_all_their_texts_are_copies(
    build_params: Build, write_csv: Callable[[list[dict[str, str]]], Path], tmp_path: Path
) -> None:
    same = {"title": "a lamp of brass", "body": "it stands on the table and gives warm light"}
    rows = [_row(n, title=f"thing {n * 7919}", body=f"said {n * 104729} of it") for n in range(6)]
    rows += [_row(6, **same), _row(7, **same)]
    columns = {"id": "id", "text": ["title", "body"], "image": None, "label": "label"}
    manifest = {"path": str(write_csv(rows)), "columns": columns}
    params = build_params(source="manifest", manifest=manifest, min_label_rows=1)
    metrics = ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=tmp_path / "raw")
    assert metrics["duplicates"]["rows"] == 1
