"""Chooses what an export shows of the data: thumbnails of training rows, samples to try it on."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from fuseline.contracts import TEXT_JOINT, examples_schema, image_places, iter_shards
from fuseline.data.media.pictures import upright
from fuseline.data.modalities.extraction.stored_media import picture_columns, placed_pictures
from fuseline.evaluation.sampling import sample
from fuseline.params.base import MODALITIES
from fuseline.params.export import ExportParams
from fuseline.serving.shown import (
    SAMPLES,
    SAMPLES_FILE,
    THUMBNAILS,
    THUMBNAILS_FILE,
    write_shown,
)

THUMBNAIL_QUALITY = 75
# A sample's pictures are made no larger, and one whose media weigh more is not taken.
SAMPLE_PIXELS, SAMPLE_BYTES = 512, 2**19
# Rows that samples are chosen from.
MAX_CANDIDATES = 64

Row = dict[str, Any]


def write_thumbnails(
    folder: Path, examples: Path, example_ids: Sequence[str], params: ExportParams
) -> None:
    """Write the first picture of each of some rows, small; nothing where the params say 0 pixels.

    Args:
        folder: of the export.
        examples: the examples table.
        example_ids: of the rows.
        params: how large.
    """
    if not params.thumbnail_pixels:
        return
    found = thumbnails(examples, example_ids, params.thumbnail_pixels)
    rows = [{"example_id": one, "picture": found[one]} for one in example_ids if one in found]
    write_shown(folder / THUMBNAILS_FILE, rows, THUMBNAILS)


def thumbnails(examples: Path, example_ids: Sequence[str], side: int) -> dict[str, bytes]:
    """The first picture of each of some rows that has one, as WebP of at most so many pixels a
    side, by id; none for 0."""
    if not side:
        return {}
    return {
        row["example_id"]: shrunk(next(filter(None, row["images"])), side)
        for row in _rows(examples, example_ids, [])
        if row["images"]
    }


def write_samples(
    folder: Path,
    examples: Path,
    example_ids: Sequence[str],
    modalities: Sequence[str],
    params: ExportParams,
) -> None:
    """Write a few rows that a visitor may try the model on; nothing where the params say 0.

    Args:
        folder: of the export.
        examples: the examples table.
        example_ids: of the rows that they are chosen from: of a split that was not learnt from.
        modalities: that the model takes; a sample holds no others.
        params: how many.
    """
    if not params.num_samples:
        return
    candidates = [example_ids[place] for place in sample(example_ids, MAX_CANDIDATES)]
    columns = ["label", "text", "audio", "video", "tabular"]
    rows = [_sample(row, modalities) for row in _rows(examples, candidates, columns)]
    kept = choose_samples([row for row in rows if _weight(row) <= SAMPLE_BYTES], params.num_samples)
    content = [{name: row[name] for name in SAMPLES.names} for row in kept]
    write_shown(folder / SAMPLES_FILE, content, SAMPLES)


def choose_samples(rows: Sequence[Row], most: int) -> list[Row]:
    """Those that hold most modalities, of as many labels as there are, in the order given."""
    fullest = sorted(rows, key=lambda row: -_num_parts(row))
    labels: set[str | None] = set()
    first: list[Row] = []
    rest: list[Row] = []
    for row in fullest:
        (rest if row["label"] in labels else first).append(row)
        labels.add(row["label"])
    return [*first, *rest][:most]


def shrunk(content: bytes, side: int) -> bytes:
    """A picture as WebP of at most so many pixels a side, upright on white."""
    with Image.open(io.BytesIO(content)) as picture:
        small = upright(picture).convert("RGB")
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=THUMBNAIL_QUALITY, method=4)
    return file.getvalue()


def _rows(examples: Path, example_ids: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Some rows, shard by shard, with all pictures of each by their places in `images`."""
    places = image_places(examples)
    names = ["example_id", *columns, *picture_columns(places)]
    wanted = pa.array(example_ids, pa.string())
    for _, table in iter_shards(examples, examples_schema(places), "examples", names):
        kept = table.filter(pc.is_in(table.column("example_id"), wanted))
        pictures = [one.content if one else None for one in placed_pictures(kept, places)]
        for number, row in enumerate(kept.to_pylist(maps_as_pydicts="strict")):
            images = pictures[number * places : (number + 1) * places]
            yield row | {"images": _without_end(images)}


def _without_end(images: list[bytes | None]) -> list[bytes | None]:
    """Pictures without the empty places behind the last."""
    while images and images[-1] is None:
        images = images[:-1]
    return images


def _sample(row: Row, modalities: Sequence[str]) -> Row:
    row = {name: None if _is_unread(name, modalities) else value for name, value in row.items()}
    images = row["images"] if "image" in modalities else []
    return {
        "example_id": row["example_id"],
        "label": row["label"],
        "texts": row["text"].split(TEXT_JOINT) if row["text"] else [],
        "images": [one and _small_enough(one) for one in images],
        "audio": row["audio"] and row["audio"]["bytes"],
        "video": row["video"] and row["video"]["bytes"],
        "cells": {name: cell for name, cell in (row["tabular"] or {}).items() if cell},
    }


def _is_unread(name: str, modalities: Sequence[str]) -> bool:
    return name in MODALITIES and name not in modalities


def _small_enough(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as picture:
        fits = max(picture.size) <= SAMPLE_PIXELS
    return content if fits else shrunk(content, SAMPLE_PIXELS)


def _weight(row: Row) -> int:
    return sum(len(one or b"") for one in (*row["images"], row["audio"], row["video"]))


def _num_parts(row: Row) -> int:
    return sum(bool(row[name]) for name in ("texts", "images", "audio", "video", "cells"))
