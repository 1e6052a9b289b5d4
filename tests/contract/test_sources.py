"""What every source promises; a new one in `SOURCES` is tested by adding it to `_CHANGES`."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fuseline.config import read_yaml
from fuseline.ingest.refusal import REASONS
from fuseline.params.ingest import IngestParams
from fuseline.sources import SOURCES, Media, RawRow, Source

PARAMS_FILE = Path(__file__).parents[2] / "params.yaml"
FIRST = 40


def _manifest(folder: Path) -> dict[str, Any]:
    Image.new("RGB", (8, 8), "blue").save(folder / "a.png")
    rows = [{"text": f"text {row}", "image": "a.png", "label": "x"} for row in range(5)]
    lines = [json.dumps(row) for row in rows] + ["{broken", json.dumps({"text": "no picture"})]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return {"manifest": {"path": str(folder / "rows.jsonl")}}


_CHANGES = {
    "emoji": lambda _: {"emoji": {"languages": ["en", "de"], "image_size": 32}},
    "manifest": _manifest,
    "synthetic": lambda _: {"synthetic": {"num_rows": 12, "image_size": 16}},
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


def test_rows_are_the_same_each_time(source: Source) -> None:
    assert _first(source) == _first(source)


def test_rows_are_streamed(source: Source) -> None:
    assert iter(source.rows()) is not None
    assert next(source.rows()).source_row == 0


def test_number_of_rows_is_right_where_it_is_known(source: Source) -> None:
    if source.num_rows is not None and source.num_rows < FIRST:
        assert source.num_rows == len(_first(source))


def test_ids_are_unique_and_groups_given_where_rows_are_whole(source: Source) -> None:
    ids = [row.example_id for row in _first(source) if not row.problems]
    assert None not in ids
    assert len(ids) == len(set(ids))


def test_claimed_fields_are_held_by_some_row(source: Source) -> None:
    for field in source.fields:
        assert any(getattr(row, field) is not None for row in _first(source)), field


def test_problems_have_a_known_reason_and_a_sentence(source: Source) -> None:
    for problem in (problem for row in _first(source) for problem in row.problems):
        assert problem.reason in REASONS
        assert problem.detail.endswith(".")


def test_images_decode_and_their_paths_are_relative(source: Source) -> None:
    for image in (row.image for row in _first(source) if row.image):
        assert isinstance(image, Media)
        Image.open(io.BytesIO(image.bytes)).load()
        assert image.path is None or not Path(image.path).is_absolute()


def test_raw_values_are_plain(source: Source) -> None:
    for row in _first(source):
        assert row.raw
        json.dumps(dict(row.raw))
