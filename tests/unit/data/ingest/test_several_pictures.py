"""Rows with several pictures, as ingest keeps them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fuseline.contracts import EXAMPLES, QUARANTINE, examples_schema, image_places, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.validate import Validator
from fuseline.data.sources import Media, RawRow
from fuseline.params.ingest import IngestParams
from tests.support.media import picture

Build = Callable[..., IngestParams]


def _kept(params: IngestParams, *images: Media | None) -> dict[str, Any]:
    row = RawRow(source_row=0, example_id="r", image=images[0], more_images=images[1:], raw={})
    return Validator(params, frozenset({"image"}), {}).keep(row).record


@pytest.mark.parametrize(
    ("there", "places"), [((1, 1), [0, 1]), ((1, 0), [0]), ((0, 1), [1]), ((1, 0, 1), [0, 2])]
)
def test_the_first_that_is_there_is_the_image(
    build_params: Build, there: Sequence[int], places: list[int]
) -> None:
    images = [
        Media(picture(), f"{place}.png") if here else None for place, here in enumerate(there)
    ]
    record = _kept(build_params(limits={"max_images": 3}), *images)
    names = [image["path"] for image in (record["image"], *record["more_images"])]
    assert names == [f"{place}.png" for place in places]
    assert record["image_places"] == places


def test_every_picture_is_checked(build_params: Build) -> None:
    params = build_params(limits={"max_images": 2})
    with pytest.raises(Refusal, match="No image of a known format"):
        _kept(params, Media(picture(), "a.png"), Media(b"no picture", "b.png"))
    record = _kept(params, Media(picture(), "a.png"), Media(picture(), "b.jpg"))
    assert record["sanitised"] == ["image:extension"]


def test_a_row_without_any_picture_has_nothing(build_params: Build) -> None:
    with pytest.raises(Refusal, match="neither text nor a medium"):
        _kept(build_params(limits={"max_images": 2}), None, None)


def _noise(path: Path, seed: int) -> None:
    low = np.random.default_rng(seed).integers(0, 255, (6, 6, 3)).astype(np.uint8)
    Image.fromarray(low).resize((48, 48), Image.Resampling.NEAREST).save(path)


@pytest.fixture
def ingest(build_params: Build, tmp_path: Path) -> Callable[..., Path]:
    """Ingest rows of the numbers of their pictures at two places; the folder of the tables."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(1, 30):
        _noise(raw / f"{number}.png", number)

    def run(rows: Sequence[tuple[int, int]], **changes: Any) -> Path:
        with (raw / "rows.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "front", "back"])
            for row, numbers in enumerate(rows):
                writer.writerow([f"r{row}", *(f"{n}.png" if n else "" for n in numbers)])
        columns = {"id": "id", "text": None, "label": None, "image": ["front", "back"]}
        manifest = {"path": str(raw / "rows.csv"), "columns": columns | changes}
        params = build_params(source="manifest", manifest=manifest, limits={"max_images": 2})
        ingest_examples(params, tmp_path / "examples", tmp_path / "quarantine", raw=raw)
        return tmp_path

    return run


def test_the_table_has_a_column_more_and_reads_as_ever(ingest: Callable[..., Path]) -> None:
    folder = ingest([(1, 2), (0, 3), (4, 0), (0, 0)])
    examples = folder / "examples"
    assert image_places(examples) == 2
    rows = read_table(examples, examples_schema(2), "examples").to_pylist()
    assert [row["image_places"] for row in rows] == [[0, 1], [1], [0]]
    assert [len(row["more_images"]) for row in rows] == [1, 0, 0]
    assert [row["image"]["path"] for row in rows] == ["1.png", "3.png", "4.png"]
    # Who knows nothing of several pictures sees the first.
    assert read_table(examples, EXAMPLES, "examples").num_rows == 3
    data = datasets.Dataset(read_table(examples, EXAMPLES, "examples", ["image"]))
    decoded = data.cast_column("image", datasets.Image())[0]["image"]
    assert decoded.size == (48, 48)
    refused = read_table(folder / "quarantine", QUARANTINE, "quarantine").to_pylist()
    assert [row["reason"] for row in refused] == ["missing_media"]


def test_a_table_of_one_picture_a_row_is_what_it_was(build_params: Build, tmp_path: Path) -> None:
    synthetic = {"num_rows": 12, "modalities": ["image"], "image_size": 16}
    params = build_params(source="synthetic", synthetic=synthetic)
    ingest_examples(params, tmp_path / "examples", tmp_path / "q", raw=tmp_path)
    (shard, *_) = sorted((tmp_path / "examples").glob("*.parquet"))
    assert pq.read_schema(shard).names == EXAMPLES.names
    assert "max_images" not in (tmp_path / "examples" / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("rows", "copies"),
    [
        ([(1, 2), (1, 2)], True),
        ([(1, 0), (1, 0)], True),
        ([(0, 2), (0, 2)], True),
        # One place alike, such as a back that all products share, is no copy.
        ([(1, 2), (3, 2)], False),
        ([(1, 2), (1, 3)], False),
        ([(1, 2), (2, 1)], False),
        ([(1, 2), (1, 0)], False),
    ],
)
def test_copies_are_alike_place_by_place(
    ingest: Callable[..., Path], rows: list[tuple[int, int]], copies: bool
) -> None:
    others = [(2 * number + 5, 2 * number + 6) for number in range(6)]
    table = read_table(ingest([*rows, *others]) / "examples", EXAMPLES, "examples")
    groups = table.column("group").to_pylist()
    assert (groups[0] == groups[1]) == copies
    assert len(set(groups[2:])) == len(others)
