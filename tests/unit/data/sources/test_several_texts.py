"""Sources whose rows have several texts: one row each, the texts in the order of the params."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.data.sources import SOURCES
from fuseline.data.sources.base import RawRow
from fuseline.errors import ConfigError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]
ROWS = [
    {"title": "one", "body": "long one"},
    {"title": "", "body": "two"},
    {"title": "three", "body": ""},
    {"title": "", "body": ""},
]
TEXTS = [["one", "long one"], ["two"], ["three"], []]


def _csv(folder: Path) -> Path:
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    return folder / "rows.csv"


def _jsonl(folder: Path) -> Path:
    lines = [json.dumps({key: value for key, value in row.items() if value}) for row in ROWS]
    (folder / "rows.jsonl").write_text(json.dumps(ROWS[0]) + "\n" + "\n".join(lines[1:]))
    return folder / "rows.jsonl"


def _parquet(folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "rows.parquet")
    return folder / "rows.parquet"


def _folder(folder: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "train-00000-of-00001.parquet")
    return folder


def _tar(folder: Path) -> Path:
    with tarfile.open(folder / "0.tar", "w") as tar:
        for number, row in enumerate(ROWS):
            members = {"title": row["title"], "json": json.dumps({"body": row["body"]})}
            for ending, content in members.items():
                info = tarfile.TarInfo(f"{number}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content.encode()))
    return folder / "0.tar"


SHAPES = {
    "csv": ("manifest", _csv, ["title", "body"]),
    "jsonl": ("manifest", _jsonl, ["title", "body"]),
    "parquet": ("manifest", _parquet, ["title", "body"]),
    "folder": ("datasets", _folder, ["title", "body"]),
    "tar": ("webdataset", _tar, ["title", "json.body"]),
}


@pytest.fixture
def read(build_params: Build, tmp_path: Path) -> Callable[..., list[RawRow]]:
    def rows(shape: str, **changes: Any) -> list[RawRow]:
        source, write, names = SHAPES[shape]
        columns = {"id": None, "image": None, "label": None, "text": names} | changes
        section = {"path": str(write(tmp_path)), "columns": columns}
        return list(SOURCES[source](build_params(source=source, **{source: section})).rows())

    return rows


def texts_of(row: RawRow) -> list[str]:
    return [text for text in (row.text, *row.more_texts) if text is not None]


@pytest.mark.parametrize("shape", SHAPES)
def test_texts_come_in_order_and_absent_ones_leave_nothing(
    read: Callable[..., list[RawRow]], shape: str
) -> None:
    rows = read(shape)
    assert [texts_of(row) for row in rows] == TEXTS
    assert not any(row.problems for row in rows)


@pytest.mark.parametrize("shape", ["csv", "jsonl", "parquet", "folder"])
def test_the_order_is_that_of_the_params(read: Callable[..., list[RawRow]], shape: str) -> None:
    assert texts_of(read(shape, text=["body", "title"])[0]) == ["long one", "one"]


def test_a_list_of_one_name_is_that_name(read: Callable[..., list[RawRow]]) -> None:
    assert read("csv", text=["body"]) == read("csv", text="body")


def test_texts_tell_rows_apart_by_their_columns(read: Callable[..., list[RawRow]]) -> None:
    ids = [row.example_id for row in read("csv")]
    assert len(set(ids)) == len(ids)
    assert ids != [row.example_id for row in read("csv", text=["body", "title"])]
    assert ids == [row.example_id for row in read("jsonl")]


def test_the_raw_row_has_every_column(read: Callable[..., list[RawRow]]) -> None:
    assert read("csv")[0].raw == {"title": "one", "body": "long one"}


@pytest.mark.parametrize(
    ("names", "way_out"),
    [(["title", "boddy"], "or leave it out"), (["boddy"], "or null for none")],
)
def test_a_wrong_name_among_several_is_named(
    read: Callable[..., list[RawRow]], names: list[str], way_out: str
) -> None:
    with pytest.raises(
        ConfigError, match=rf"columns\.text: expected column 'boddy'.*'body'.*{way_out}"
    ):
        read("csv", text=names)


def test_a_list_where_a_text_belongs_is_a_bad_row(build_params: Build, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"title": "a", "body": ["b"], "label": "x"}\n')
    columns = {"text": ["title", "body"], "image": None}
    params = build_params(manifest={"path": str(tmp_path / "rows.jsonl"), "columns": columns})
    (row,) = SOURCES["manifest"](params).rows()
    assert [problem.reason for problem in row.problems] == ["malformed_row"]
    assert "column 'body': expected text, found list" in row.problems[0].detail
