"""JSON lines and arrays, and what they have in common with the other formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.data.sources.manifest_files import open_table
from fuseline.data.sources.table_file import BadRecord
from fuseline.errors import ContractError

Read = Callable[..., list[Any]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a table and read the wanted columns: cells of rows, details of bad records."""

    def run(name: str, content: str | pa.Table, *columns: str) -> list[Any]:
        path = tmp_path / name
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_text(content, encoding="utf-8")
        file = open_table(path, columns)
        file.found_columns()
        return [
            record.detail if isinstance(record, BadRecord) else [record[name] for name in columns]
            for record in file.records()
        ]

    return run


NAN, INFINITY = float("nan"), float("inf")
NUMBERS = [1.5, NAN, INFINITY, -INFINITY, None, 2.0]
CELLS = ["1.5", None, "Infinity", "-Infinity", None, "2.0"]


@pytest.mark.parametrize("column", ["price", "text"])
@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_formats_agree_on_missing_and_odd_numbers(read: Read, form: str, column: str) -> None:
    rows = [{"price": number, "text": "a"} for number in NUMBERS]
    content: Any = {
        "jsonl": "\n".join(json.dumps(row) for row in rows),
        "json": json.dumps(rows),
        "parquet": pa.table({"price": NUMBERS, "text": ["a"] * len(NUMBERS)}),
    }[form]
    expected = CELLS if column == "price" else ["a"] * len(rows)
    assert [cell for (cell,) in read(f"rows.{form}", content, column)] == expected


@pytest.mark.parametrize(
    "cell",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "9" * 5000,
        '"\\ud800"',
        "[NaN]",
        '{"a": [null]}',
        '"a\tb"',
        "-0",
        "1E5",
    ],
)
def test_a_fault_in_a_column_that_nobody_mapped_costs_nothing(read: Read, cell: str) -> None:
    line = f'{{"text": "a", "other": {cell}}}'
    assert read("rows.jsonl", f"{line}\n{line}\n", "text") == [["a"], ["a"]]
    assert read("rows.json", f"[{line}, {line}]", "text") == [["a"], ["a"]]


def test_whole_numbers_of_thousands_of_digits_are_texts(read: Read) -> None:
    digits = "9" * 5000
    assert read("rows.jsonl", f'{{"a": {digits}, "b": 12}}', "a", "b") == [[digits, "12"]]


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": 1}, {"a": 2}]',
        '[\n  {\n    "a": 1\n  },\n  {\n    "a": 2\n  }\n]\n',
        '\n\n [{"a":1},{"a":2}] \n',
        '{"a": 1}\n{"a": 2}\n',
        '{"a": 1}\n\n{"a": 2}',
    ],
)
def test_json_is_an_array_or_lines(read: Read, content: str) -> None:
    assert read("rows.json", content, "a") == [["1"], ["2"]]


def test_an_element_that_is_no_object_is_one_bad_record(read: Read) -> None:
    content = '[{"a": 1},\n 3,\n null, [4],\n {"a": "\\ud800"},\n {"a": 2}]'
    assert read("rows.json", content, "a") == [
        ["1"],
        "line 2: expected a JSON object.",
        "line 3: expected a JSON object.",
        "line 3: expected a JSON object.",
        "line 4: column 'a': holds half a character.",
        ["2"],
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"a": 1}, {"a": ]', "not readable as JSON: Expecting value: line 1 column 18"),
        ('[{"a": 1}\n{"a": 2}]', r"expected ',' or '\]': line 2 column 1"),
        ('[{"a": 1}', r"expected ',' or '\]': line 1 column 10"),
        ('[{"a": 1}] more', "more data behind the array"),
        ('[{"a": 1},', "Expecting value"),
        ("[" * 20_000, "not readable as JSON"),
        ('{\n "data": [{"a": 1}]\n}', "a JSON array of objects, or one object a line, found '{'"),
        ("", "found an empty file"),
        ("[]", "found no columns"),
    ],
)
def test_an_array_with_a_fault_is_refused_as_a_whole(
    read: Read, tmp_path: Path, content: str, message: str
) -> None:
    if content == "[]":
        assert read("rows.json", content) == []
        return
    with pytest.raises(ContractError, match=message):
        read("rows.json", content, "a")


def test_an_array_named_jsonl_is_told(read: Read) -> None:
    with pytest.raises(ContractError, match=r"is read from a file ending in \.json: rename it"):
        read("rows.jsonl", '[\n{"a": 1},\n{"a": 2}\n]', "a")


def test_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n\n{"a"\n \n{"a": 2}')
    file = open_table(tmp_path / "rows.jsonl", ["a"])
    assert len(list(file.records())) == 3
    assert file.lines is not None
    assert (file.lines.all, file.lines.blank, file.lines.rows) == (5, 2, 3)
