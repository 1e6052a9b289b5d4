"""What every source promises; a new one in `SOURCES` is tested by adding it to `_CHANGES`."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fuseline.config import read_yaml
from fuseline.data.ingest.refusal import REASONS
from fuseline.data.sources import SOURCES, Media, RawRow, Source
from fuseline.params.ingest import IngestParams
from tests.support.repository import PARAMS_FILE

FIRST = 40
# Media that no source may read, and rows that none may choke on, are among the first rows of all.
DIRTY = {"datasets", "image_folder", "manifest", "webdataset"}


def _png(colour: str = "blue") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def _manifest(folder: Path) -> dict[str, Any]:
    (folder / "a.png").write_bytes(_png())
    rows = [{"text": f"text {row}", "image": "a.png", "label": "x"} for row in range(5)]
    lines = [json.dumps(row) for row in rows] + ["{broken", json.dumps({"text": "no picture"})]
    (folder / "1.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "2.csv").write_text("text,image,label\nlater,,x\nbad\nbad,/etc/hosts,x\n")
    return {"manifest": {"path": str(folder)}}


def _image_folder(folder: Path) -> dict[str, Any]:
    for label in ("cat", "dog"):
        (folder / "set" / label / "more").mkdir(parents=True)
        for row in range(3):
            (folder / "set" / label / "more" / f"{row}.png").write_bytes(_png("red"))
    (folder / "secret.png").write_bytes(_png())
    (folder / "set" / "dog" / "out.png").symlink_to(folder / "secret.png")
    return {"image_folder": {"path": str(folder / "set")}}


def _datasets(folder: Path) -> dict[str, Any]:
    images = [{"bytes": _png(), "path": "a.png"}] * 3 + [{"bytes": None, "path": "/etc/hosts"}]
    rows = {"text": ["a", "b", None, "d"], "image": images, "label": ["x", "y", "x", "y"]}
    pq.write_table(pa.table(rows), folder / "train.parquet")
    return {"datasets": {"path": str(folder)}}


def _webdataset(folder: Path) -> dict[str, Any]:
    for shard in range(2):
        with tarfile.open(folder / f"{shard}.tar", "w") as tar:
            for row in range(3):
                for ending, content in (("jpg", _png()), ("cls", b"x\n"), ("txt", b"words")):
                    member = tarfile.TarInfo(f"{shard}-{row}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
            member = tarfile.TarInfo(f"{shard}-link.jpg")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/hosts"
            tar.addfile(member)
    return {"webdataset": {"path": str(folder / "*.tar")}}


_CHANGES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "datasets": _datasets,
    "emoji": lambda _: {"emoji": {"languages": ["en", "de"], "image_size": 32}},
    "image_folder": _image_folder,
    "manifest": _manifest,
    "synthetic": lambda _: {
        "synthetic": {
            "num_rows": 12,
            "image_size": 16,
            "modalities": ["text", "image", "audio", "video", "tabular"],
        }
    },
    "webdataset": _webdataset,
}


@pytest.fixture(params=sorted(SOURCES))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    values = read_yaml(PARAMS_FILE)["ingest"]
    for section, changes in _CHANGES[request.param](tmp_path).items():
        values[section] |= changes
    return SOURCES[request.param](IngestParams.model_validate(values))


def _first(source: Source) -> list[RawRow]:
    return list(itertools.islice(source.rows(), FIRST))


def test_table_key_is_the_name_of_the_source(source: Source) -> None:
    assert SOURCES[source.name] is type(source)


def test_rows_are_numbered_without_gaps(source: Source) -> None:
    rows = _first(source)
    assert [row.source_row for row in rows] == list(range(len(rows)))
    assert rows


def test_batches_start_at_0_and_never_fall(source: Source) -> None:
    batches = [row.batch for row in _first(source)]
    assert batches[0] == 0
    assert batches == sorted(batches)


def test_rows_are_the_same_each_time(source: Source) -> None:
    assert _first(source) == _first(source)


def test_rows_are_streamed(source: Source) -> None:
    assert iter(source.rows()) is not None
    assert next(source.rows()).source_row == 0


def test_number_of_rows_is_right_where_it_is_known(source: Source) -> None:
    if source.num_rows is not None and source.num_rows < FIRST:
        assert source.num_rows == len(_first(source))


def test_ids_are_unique_where_rows_are_whole(source: Source) -> None:
    ids = [row.example_id for row in _first(source) if not row.problems]
    assert None not in ids
    assert len(ids) == len(set(ids))


def test_bad_rows_are_yielded_among_good_ones(source: Source) -> None:
    rows = _first(source)
    assert any(not row.problems for row in rows)
    assert any(row.problems for row in rows) == (source.name in DIRTY)


def test_nothing_is_read_from_outside(source: Source) -> None:
    unsafe = [
        row for row in _first(source) for problem in row.problems if "unsafe" in problem.reason
    ]
    assert bool(unsafe) == (source.name in DIRTY)
    assert all(row.image is None for row in unsafe)


def test_claimed_fields_are_held_by_some_row(source: Source) -> None:
    optional = {"audio", "video"} if source.name == "webdataset" else set()
    for field in source.fields - optional:
        assert any(getattr(row, field) is not None for row in _first(source)), field


def test_fields_that_are_not_claimed_are_empty(source: Source) -> None:
    for field in {"text", "image", "audio", "video", "tabular", "label"} - source.fields:
        assert all(getattr(row, field) is None for row in _first(source)), field


def test_problems_have_a_known_reason_and_a_sentence(source: Source) -> None:
    for problem in (problem for row in _first(source) for problem in row.problems):
        assert problem.reason in REASONS
        assert problem.detail.endswith(".")


def test_problems_name_no_place_of_this_machine(source: Source, tmp_path: Path) -> None:
    for problem in (problem for row in _first(source) for problem in row.problems):
        assert str(tmp_path) not in problem.detail


def test_images_decode_and_their_paths_are_relative(source: Source) -> None:
    for image in (row.image for row in _first(source) if row.image):
        assert isinstance(image, Media)
        Image.open(io.BytesIO(image.bytes)).load()
        assert image.path is None or not Path(image.path).is_absolute()


def test_raw_values_are_plain(source: Source) -> None:
    for row in _first(source):
        assert row.raw
        json.dumps(dict(row.raw))
