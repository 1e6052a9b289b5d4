"""Target cells: what each kind accepts, what is refused, and what becomes of the row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from fuseline.contracts import EXAMPLES, QUARANTINE, read_manifest, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.spellings import Spellings
from fuseline.data.ingest.targets import check_target as _check_target
from fuseline.data.ingest.validate import Validator
from fuseline.data.sources import RawRow
from fuseline.data.sources.base import brief
from fuseline.params.ingest import IngestParams, TargetKind

Build = Callable[..., IngestParams]
TEXT = "red ants bite"
KINDS: dict[str, TargetKind] = {
    "mood": "category",
    "parts": "categories",
    "stars": "number",
    "tags": "tags",
    "caption": "text",
}


def check_target(name: str, kind: TargetKind, cell: str, text: str | None, **more: Any) -> str:
    return _check_target(
        name, kind, cell, text, separator="|", spellings=Spellings("certain"), **more
    )


def refused(kind: TargetKind, cell: str, text: str | None = TEXT) -> str:
    with pytest.raises(Refusal) as refusal:
        check_target("it", kind, cell, text)
    assert refusal.value.reason == "malformed_target"
    assert refusal.value.detail.startswith("column 'it': ")
    return refusal.value.detail.removeprefix("column 'it': ")


@pytest.mark.parametrize(
    ("cell", "spelt"),
    [
        ("a|b", ["a", "b"]),
        ("b | a|b||", ["a", "b"]),
        ('["b", "a", "b"]', ["a", "b"]),
        ('[" x\\ty ", ""]', ["x y"]),
        ('["a\\u0000b"]', ["ab"]),
        ('["e\\u0301"]', ["é"]),
        ("one", ["one"]),
        ("[]", []),
        ("|", []),
        ("[draft]|b", ["[draft]", "b"]),
        ("[open", ["[open"]),
        ('["a|b"]', ["a|b"]),
        ("None|NA", ["NA", "None"]),
    ],
)
def test_categories_are_a_sorted_list(cell: str, spelt: list[str]) -> None:
    assert check_target("it", "categories", cell, TEXT) == json.dumps(spelt, ensure_ascii=False)


@pytest.mark.parametrize(
    "cell",
    [
        *("[1, 2]", '["a", null]', '[["a"], ["b"]]', '[{"a": "b"}]', "[NaN]"),
        *("['a', 'b']", '["a", "b"', "['a' 'b']", '[ "a" "b" ]', '["a",]'),
        "[" * 20_000,
    ],
)
def test_a_list_that_is_none_is_refused(cell: str) -> None:
    """Python's, NumPy's and damaged spellings would else be names with brackets in them."""
    for kind in ("categories", "tags"):
        assert refused(kind, cell) == 'expected a JSON list of texts, such as ["a", "b"].'


@pytest.mark.parametrize("cell", ['["\\ud800"]', '["a", "\\udfff x"]'])
@pytest.mark.parametrize("kind", ["categories", "tags"])
def test_half_a_surrogate_pair_is_refused(kind: TargetKind, cell: str) -> None:
    """No UTF-8 can spell it: the table could not be written."""
    assert "half of a surrogate pair" in refused(kind, cell, "one two")


@pytest.mark.parametrize(("kind", "cell"), [("category", "NaN"), ("categories", "a|nan|b")])
def test_a_missing_value_is_no_class(kind: TargetKind, cell: str) -> None:
    assert "stands for a missing value" in refused(kind, cell)


@pytest.mark.parametrize("cell", ["None", "NA", "0", "[x]", '{"a": 1}', "nano"])
def test_a_category_is_kept_as_it_is(cell: str) -> None:
    assert check_target("it", "category", cell, TEXT) == cell


@pytest.mark.parametrize(
    ("cell", "spelt"),
    [
        *(("3", "3.0"), ("-2.50", "-2.5"), ("1e3", "1000.0"), (".5", "0.5"), ("0.1", "0.1")),
        *(("1600000000.25", "1600000000.25"), ("3.4e38", "3.4e+38"), ("+7", "7.0")),
    ],
)
def test_numbers_have_one_spelling(cell: str, spelt: str) -> None:
    assert check_target("it", "number", cell, TEXT) == spelt


@pytest.mark.parametrize(
    "cell",
    [
        *("nan", "NaN", "inf", "-Infinity", "1e999", "3.5e38", "-1e39"),
        *("", "three", "1,5", "0x10", "1 2", "true", "[1]", '{"a": 1}', "9" * 20_000),
    ],
)
def test_what_is_no_number_is_refused(cell: str) -> None:
    """Beyond float32 a label would be infinite, and its row without one."""
    assert refused("number", cell).startswith(
        f"expected a finite number of at most 3.40282e+38, found {brief(cell)!r}."
    )


@pytest.mark.parametrize(
    ("cell", "spelt"),
    [
        ("O B-x I-x", "O B-x I-x"),
        ('["O", "B-x", "I-x"]', "O B-x I-x"),
        ("[O] B-x O", "[O] B-x O"),
        ('[" O", "B-x\\n", "O"]', "O B-x O"),
    ],
)
def test_tags_stand_side_by_side(cell: str, spelt: str) -> None:
    assert check_target("it", "tags", cell, TEXT) == spelt


@pytest.mark.parametrize(
    ("cell", "text", "detail"),
    [
        ("O O", TEXT, "a tag for each of the text's 3 words, found 2."),
        ("O O O O", TEXT, "a tag for each of the text's 3 words, found 4."),
        ('["O"]', "a\u00a0b", "a tag for each of the text's 2 words, found 1."),
        ("O", None, "a tag for each of the text's 0 words, found 1."),
        ('["O", "B x", "O"]', TEXT, "tags without spaces, found one that is empty or has some."),
        ('["O", "", "O"]', TEXT, "tags without spaces, found one that is empty or has some."),
        ('["O", "B\\tx", "O"]', TEXT, "tags without spaces, found one that is empty or has some."),
    ],
)
def test_every_word_has_one_tag(cell: str, text: str | None, detail: str) -> None:
    assert refused("tags", cell, text) == f"expected {detail}"


def test_a_text_is_kept_as_it_is() -> None:
    assert check_target("it", "text", 'any ["thing"\nnan', None) == 'any ["thing"\nnan'


def row(targets: dict[str, str | None] | None, **changes: Any) -> RawRow:
    given = {"source_row": 3, "example_id": "r", "text": TEXT, "raw": targets or {}}
    return RawRow(**(given | changes), targets=targets)


@pytest.fixture
def validator(build_params: Build) -> Validator:
    return Validator(build_params(), frozenset({"text", "tabular"}), KINDS)


def test_targets_that_are_there_are_kept_each_in_its_spelling(validator: Validator) -> None:
    cells = {"mood": " glad ", "parts": "b|a", "stars": "4", "tags": "O  B-x O", "caption": "Two\n"}
    record = validator.keep(row(cells)).record
    assert record["targets"] == {
        "mood": "glad",
        "parts": '["a", "b"]',
        "stars": "4.0",
        "tags": "O B-x O",
        "caption": "Two",
    }
    assert record["sanitised"] == ["targets:whitespace"]


@pytest.mark.parametrize("empty", [None, "", "  ", "\u200b", "\x00"])
def test_an_empty_cell_is_no_target(validator: Validator, empty: str | None) -> None:
    assert validator.keep(row(dict.fromkeys(KINDS, empty))).record["targets"] is None
    some = dict.fromkeys(KINDS, empty) | {"stars": "1"}
    assert validator.keep(row(some, example_id="s")).record["targets"] == {"stars": "1.0"}


def test_a_target_is_not_content(validator: Validator) -> None:
    with pytest.raises(Refusal) as refusal:
        validator.keep(row({"stars": "1", "caption": "words"}, text=None))
    assert refusal.value.reason == "empty_text"


def test_tags_are_counted_on_the_text_as_it_is_kept(validator: Validator) -> None:
    text = "\u200b \x00 red  ants\r\nbite"
    assert validator.keep(row({"tags": "O O O O"}, text=text)).record["targets"]
    with pytest.raises(Refusal, match=r"each of the text's 2 words, found 3\."):
        validator.keep(row({"tags": "O O O"}, text="red a\x00nts", example_id="s"))


def test_a_text_to_write_is_screened_as_a_text_to_read(validator: Validator) -> None:
    record = validator.keep(row({"caption": "ask a@b.de"})).record
    assert record["targets"] == {"caption": "ask [EMAIL]"}
    assert "targets:email" in record["sanitised"]


def test_a_long_target_is_refused(validator: Validator) -> None:
    with pytest.raises(Refusal, match="targets: 20001 characters") as refusal:
        validator.keep(row({"caption": "x" * 20_001}))
    assert refusal.value.reason == "oversized_text"


def test_a_refused_row_leaves_its_id_free(validator: Validator) -> None:
    with pytest.raises(Refusal):
        validator.keep(row({"stars": "many"}))
    assert validator.keep(row({"stars": "1"})).record["example_id"] == "r"


def test_the_quarantine_shows_the_cell(validator: Validator) -> None:
    bad = row({"stars": "many"})
    with pytest.raises(Refusal) as refusal:
        validator.keep(bad)
    record = validator.quarantined(bad, refusal.value)
    assert (record["reason"], record["source_row"]) == ("malformed_target", 3)
    assert "'stars': expected a finite number" in record["detail"]
    assert json.loads(record["raw"]) == {"stars": "many"}


def test_inputs_do_not_gain_a_target(validator: Validator) -> None:
    cells = {"mood": "secret1", "parts": "secret2", "stars": "41", "caption": "secret3"}
    cells["tags"] = "O B-secret4 O"
    record = validator.keep(row(cells, tabular={"price": "2"})).record
    assert (record["text"], record["tabular"]) == (TEXT, {"price": "2"})
    others = {name: value for name, value in record.items() if name != "targets"}
    assert "secret" not in json.dumps(others)
    assert "41" not in json.dumps(others)


def test_a_refusal_for_tags_says_that_the_text_was_masked(validator: Validator) -> None:
    """Else a person would count the words that they gave, and find nothing wrong."""
    text = "call +1 (212) 555-0123 now"
    kept = validator.keep(row({"tags": "O B-x O"}, text=text)).record
    assert kept["text"] == "call [PHONE] now"
    with pytest.raises(Refusal) as refusal:
        validator.keep(row({"tags": "O B-x I-x I-x O"}, text=text, example_id="s"))
    assert refusal.value.detail == (
        "column 'tags': expected a tag for each of the text's 3 words, found 5; personal data in"
        " the text was masked, so that tags may no longer fit its words."
    )
    with pytest.raises(Refusal) as refusal:
        validator.keep(row({"tags": "O", "caption": "a@b.example"}, example_id="t"))
    assert "masked" not in refusal.value.detail


def columns(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"text": "text", "image": None, "label": None, "targets": KINDS}
    return given | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tabular": ["stars"]}, r"'stars' is a target and may not be tabular too"),
        ({"label": "mood"}, r"'mood' is a target and may not be the label too"),
        ({"text": "caption"}, r"'caption' is a target and may not be text too"),
        ({"image": "mood"}, r"'mood' is a target and may not be image too"),
        ({"audio": "mood"}, r"'mood' is a target and may not be audio too"),
        ({"video": "mood"}, r"'mood' is a target and may not be video too"),
        ({"targets": {"label": "number"}}, r"a target may not be called 'label', as tasks call"),
        ({"targets": {"mood": "class"}}, r"columns\.targets\.mood"),
    ],
)
def test_a_target_is_no_input(build_params: Build, changes: dict[str, Any], message: str) -> None:
    build_params(manifest={"columns": columns()})
    with pytest.raises(ValidationError, match=message):
        build_params(manifest={"columns": columns(**changes)})


@pytest.fixture
def run(build_params: Build, tmp_path: Path) -> Callable[..., Any]:
    """Ingest a file with a column per kind; return metrics, kept rows by id, refused rows."""

    def ingest(file: Path) -> Any:
        params = build_params(
            source="manifest",
            manifest={"path": str(file), "columns": columns(id="id")},
            max_quarantined_share=0.9,
        )
        folders = tmp_path / "examples", tmp_path / "quarantine"
        metrics = ingest_examples(params, *folders, raw=tmp_path)
        kept = read_table(folders[0], EXAMPLES, "examples").to_pylist()
        refused = read_table(folders[1], QUARANTINE, "quarantine").to_pylist()
        assert metrics["rows_in"] == len(kept) + len(refused)
        assert read_manifest(folders[0], "examples")["targets"] == KINDS
        return metrics, {row["example_id"]: row for row in kept}, refused

    return ingest


def lines(*cells: dict[str, Any]) -> str:
    rows = [
        {"id": f"r{number}", "text": f"{TEXT} {number}", **dict.fromkeys(KINDS), **cell}
        for number, cell in enumerate(cells)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_json_cells_go_to_one_of_the_two_tables(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(
        lines(
            {"stars": 4, "parts": ["b", "a"], "tags": ["O", "B-x", "O", "O"]},
            {"stars": 2.5, "mood": 7},
            {"stars": None, "parts": []},
            {"stars": {"a": 1}},
            {"parts": {"a": "b"}},
            {"mood": ["a", "b"]},
            {"parts": [["a"], ["b"]]},
            {"parts": [1, 2]},
            {"tags": ["O", "O"]},
            {"caption": {"en": "words"}},
            {"parts": ["\ud800"]},
        )
    )
    metrics, kept, refused = run(file)
    assert dict(kept["r0"]["targets"]) == {
        "stars": "4.0", "parts": '["a", "b"]', "tags": "O B-x O O"
    }  # fmt: skip
    assert dict(kept["r1"]["targets"]) == {"stars": "2.5", "mood": "7"}
    assert dict(kept["r2"]["targets"]) == {"parts": "[]"}
    assert [row["source_row"] for row in refused] == [3, 4, 5, 6, 7, 8, 9, 10]
    reasons = [row["reason"] for row in refused]
    assert reasons[:7] == ["malformed_target"] * 7
    assert reasons[7] in ("malformed_target", "malformed_row")
    assert metrics["quarantined"]["malformed_target"] == reasons.count("malformed_target")
    assert "found dict" in refused[0]["detail"]
    assert "found list" in refused[2]["detail"]


def test_parquet_cells_that_json_cannot_spell_are_refused(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "rows.parquet"
    texts = [f"{TEXT} {number}" for number in range(4)]
    table = pa.table(
        {
            "id": ["a", "b", "c", "d"],
            "text": texts,
            "mood": pa.array([None, b"x", None, None], pa.binary()),
            "parts": pa.array([[b"x"], None, None, None], pa.list_(pa.binary())),
            "stars": pa.array([1.5, None, float("nan"), float("inf")]),
            "tags": pa.array([None] * 4, pa.string()),
            "caption": pa.array([None] * 4, pa.string()),
        }
    )
    pq.write_table(table, file)
    _, kept, refused = run(file)
    assert set(kept) == {"c"}
    assert kept["c"]["targets"] is None
    assert {(row["example_id"], row["reason"]) for row in refused} == {
        (name, "malformed_target") for name in "abd"
    }
