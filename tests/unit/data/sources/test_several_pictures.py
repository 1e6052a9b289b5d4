"""Rows with several pictures: a column for each, or a list in a cell."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.data.sources import SOURCES
from fuseline.data.sources.base import Media, RawRow
from fuseline.params.ingest import IngestParams
from tests.unit.data.sources.test_webdataset import pack

Build = Callable[..., IngestParams]
A, B, C = Media(b"a", "a.png"), Media(b"b", "b.png"), Media(b"c", "c.png")


@pytest.fixture
def read(build_params: Build, tmp_path: Path) -> Callable[..., list[RawRow]]:
    """Rows of a manifest beside three pictures and one whose name holds a sign that parts paths."""
    for name in ("a", "b", "c", "d;e"):
        (tmp_path / f"{name}.png").write_bytes(name.encode())

    def rows(path: Path, names: Any, max_images: int = 3) -> list[RawRow]:
        columns = {"id": None, "text": None, "label": "label", "image": names}
        params = build_params(
            manifest={"path": str(path), "columns": columns}, limits={"max_images": max_images}
        )
        return list(SOURCES["manifest"](params).rows())

    return rows


def _csv(path: Path, **cells: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*cells, "label"])
        writer.writeheader()
        writer.writerow(cells | {"label": "x"})
    return path


def _jsonl(path: Path, **cells: Any) -> Path:
    path.write_text(json.dumps(cells | {"label": "x"}) + "\n", encoding="utf-8")
    return path


def pictures(row: RawRow) -> list[Media | None]:
    assert not row.problems, row.problems
    return [row.image, *row.more_images]


@pytest.mark.parametrize(
    ("front", "back", "found"),
    [
        ("a.png", "b.png", [A, B]),
        ("a.png", "", [A, None]),
        ("", "b.png", [None, B]),
        ("", "", [None, None]),
    ],
)
@pytest.mark.parametrize("write", [_csv, _jsonl])
def test_the_place_of_a_picture_is_that_of_its_column(
    read: Callable[..., list[RawRow]], tmp_path: Path, write: Any, front: str, back: str, found: Any
) -> None:
    path = write(tmp_path / f"rows.{write.__name__[1:]}", front=front, back=back)
    (row,) = read(path, ["front", "back"])
    assert pictures(row) == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("a.png;b.png", [A, B]),
        ("a.png; b.png ;c.png", [A, B, C]),
        ("a.png|b.png", [A, B]),
        ("a.png;", [A]),
        (";b.png", [None, B]),
        ("a.png;;c.png", [A, None, C]),
        ('["a.png", "b.png"]', [A, B]),
        ('["a.png"]', [A]),
        ("[]", [None]),
        ('[null, "b.png"]', [None, B]),
        ("a.png", [A]),
        # A sign within a name parts nothing.
        ("d;e.png", [Media(b"d;e", "d;e.png")]),
        ("", [None]),
    ],
)
def test_a_cell_of_paths_holds_a_picture_for_each(
    read: Callable[..., list[RawRow]], tmp_path: Path, cell: str, found: Any
) -> None:
    (row,) = read(_csv(tmp_path / "rows.csv", photos=cell), "photos")
    assert pictures(row) == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (["a.png", "b.png"], [A, B]),
        (["a.png", None, "c.png"], [A, None, C]),
        (["a.png", None], [A]),
        ([], [None]),
        (None, [None]),
        ([{"bytes": b"x", "path": "x.png"}, {"bytes": b"y", "path": None}], "struct"),
    ],
)
def test_a_list_in_a_cell_holds_a_picture_for_each(
    read: Callable[..., list[RawRow]], tmp_path: Path, cell: Any, found: Any
) -> None:
    if found == "struct":
        found = [Media(b"x", "x.png"), Media(b"y", None)]
        pq.write_table(
            pa.Table.from_pylist([{"photos": cell, "label": "x"}]), tmp_path / "r.parquet"
        )
        path = tmp_path / "r.parquet"
    else:
        path = _jsonl(tmp_path / "rows.jsonl", photos=cell)
    (row,) = read(path, "photos")
    assert pictures(row) == found
    json.dumps(row.raw)


@pytest.mark.parametrize(
    ("cells", "names", "limit", "reason", "detail"),
    [
        ({"p": "a.png;b.png"}, "p", 1, "too_many_images", r"2 pictures; .*max_images is 1"),
        ({"p": '["a.png", "b.png", "c.png"]'}, "p", 2, "too_many_images", "3 pictures"),
        ({"p": "a.png;none.png"}, "p", 3, "missing_media", "'none.png' is no file"),
        ({"p": "none.png;b.png"}, "p", 3, "missing_media", "'none.png' is no file"),
        ({"p": "a.png;../b.png"}, "p", 3, "unsafe_path", "'../b.png' must be relative"),
        ({"p": '["/etc/hosts", "a.png"]'}, "p", 3, "unsafe_path", "'/etc/hosts' must be relative"),
        ({"p": "[1, 2]"}, "p", 3, "malformed_row", "'p': expected a path"),
        ({"p": "a.png", "q": "none.png"}, ["p", "q"], 2, "missing_media", "'none.png' is no file"),
        # Neither part is there: it is one name, and told as it stands.
        ({"p": "no.png;none.png"}, "p", 3, "missing_media", "'no.png;none.png' is no file"),
    ],
)
def test_a_row_with_a_bad_picture_tells_of_it(
    read: Callable[..., list[RawRow]],
    tmp_path: Path,
    cells: dict[str, str],
    names: Any,
    limit: int,
    reason: str,
    detail: str,
) -> None:
    (row,) = read(_csv(tmp_path / "rows.csv", **cells), names, limit)
    assert [problem.reason for problem in row.problems] == [reason]
    with pytest.raises(ValueError, match=detail):
        raise ValueError(row.problems[0].detail)


def test_a_list_in_one_of_several_columns_is_a_bad_row(
    read: Callable[..., list[RawRow]], tmp_path: Path
) -> None:
    path = _jsonl(tmp_path / "rows.jsonl", front=["a.png"], back="b.png")
    (row,) = read(path, ["front", "back"])
    assert [problem.reason for problem in row.problems] == ["malformed_row"]
    assert "column 'front': expected one picture" in row.problems[0].detail


def test_pictures_tell_rows_apart_by_their_places(
    read: Callable[..., list[RawRow]], tmp_path: Path
) -> None:
    path = _csv(tmp_path / "rows.csv", front="a.png", back="b.png")
    ids = {read(path, names)[0].example_id for names in (["front", "back"], ["back", "front"])}
    assert len(ids) == 2
    assert read(path, ["front"]) == read(path, "front")


def test_endings_of_a_tar_are_places(build_params: Build, tmp_path: Path) -> None:
    pack(
        tmp_path / "0.tar",
        [("one.front.png", b"a"), ("one.back.jpg", b"b"), ("two.back.png", b"c")],
    )
    columns = {"image": ["front.png", "back.png;back.jpg"], "text": None, "label": None}
    params = build_params(
        webdataset={"path": str(tmp_path), "columns": columns}, limits={"max_images": 2}
    )
    first, second = SOURCES["webdataset"](params).rows()
    assert pictures(first) == [Media(b"a", "one.front.png"), Media(b"b", "one.back.jpg")]
    assert pictures(second) == [None, Media(b"c", "two.back.png")]


def test_a_data_set_may_hold_lists_of_images(build_params: Build, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(b"a")
    listed = [{"bytes": b"in", "path": None}, {"bytes": None, "path": "a.png"}]
    table = pa.Table.from_pylist([{"photos": listed}])
    pq.write_table(table, tmp_path / "set" / "train.parquet")
    columns = {"image": "photos", "text": None, "label": None}
    params = build_params(
        datasets={"path": str(tmp_path / "set"), "columns": columns}, limits={"max_images": 2}
    )
    (row,) = SOURCES["datasets"](params).rows()
    assert pictures(row) == [Media(b"in", None), A]
