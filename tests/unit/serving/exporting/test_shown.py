"""What an export shows of the data: the right rows, small, the same bytes again."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from fuseline.config import load_section
from fuseline.contracts import EXAMPLES, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.errors import ContractError
from fuseline.params.export import ExportParams
from fuseline.serving.exporting.shown import (
    choose_samples,
    shrunk,
    write_samples,
    write_thumbnails,
)
from fuseline.serving.shown import SAMPLES_FILE, THUMBNAILS_FILE, Shown
from tests.support.every_stage import Stages
from tests.support.repository import PARAMS_FILE
from tests.support.untrained_export import picture

MODALITIES = ["text", "image", "tabular"]


@pytest.fixture(scope="module")
def params() -> ExportParams:
    return load_section("export", ExportParams, PARAMS_FILE)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    stages = Stages(
        tmp_path_factory.mktemp("shown"),
        **{"base.modalities": MODALITIES, "ingest.synthetic.modalities": MODALITIES},
    )
    ingest_examples(
        stages.params["ingest"], stages.examples, stages.quarantine, raw=stages.root / "raw"
    )
    return stages.examples


@pytest.fixture(scope="module")
def ids(examples):
    return read_table(examples, EXAMPLES, "examples", ["example_id"])[0].to_pylist()


def test_pictures_of_the_asked_rows_are_kept_small(examples, ids, params, tmp_path):
    asked = ids[3:9]
    write_thumbnails(tmp_path, examples, asked, params.model_copy(update={"thumbnail_pixels": 8}))
    shown = Shown.read(tmp_path)
    for one in asked:
        with Image.open(io.BytesIO(shown.thumbnail(one))) as small:
            assert (small.format, small.mode, max(small.size)) == ("WEBP", "RGB", 8)
    assert shown.thumbnail(ids[0]) is None


def test_samples_hold_what_the_model_takes(examples, ids, params, tmp_path):
    write_samples(tmp_path, examples, ids, ["text", "tabular"], params)
    samples = Shown.read(tmp_path).samples
    assert len(samples) == params.num_samples == len({one["label"] for one in samples})
    for one in samples:
        assert one["texts"] and one["cells"] and not one["images"]
    write_samples(tmp_path, examples, ids, ["image"], params)
    for one in Shown.read(tmp_path).samples:
        assert one["images"] and not one["texts"] and not one["cells"]


def test_the_same_rows_give_the_same_bytes(examples, ids, params, tmp_path):
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_thumbnails(tmp_path / name, examples, ids, params)
        write_samples(tmp_path / name, examples, ids, MODALITIES, params)
        found.append([(tmp_path / name / f).read_bytes() for f in (THUMBNAILS_FILE, SAMPLES_FILE)])
    assert found[0] == found[1]


def test_nothing_is_shown_where_the_params_say_so(examples, ids, params, tmp_path):
    off = params.model_copy(update={"thumbnail_pixels": 0, "num_samples": 0})
    write_thumbnails(tmp_path, examples, ids, off)
    write_samples(tmp_path, examples, ids, MODALITIES, off)
    assert not list(tmp_path.iterdir())
    shown = Shown.read(tmp_path)
    assert (list(shown.samples), shown.thumbnail(ids[0])) == ([], None)


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / SAMPLES_FILE).write_bytes(b"PAR1")
    with pytest.raises(ContractError, match=r"samples.parquet: not readable .* `dvc repro export`"):
        Shown.read(tmp_path)


def row(label, **given):
    return {"texts": [], "images": [], "audio": None, "video": None, "cells": {}} | {
        "label": label,
        **given,
    }


def test_full_rows_of_many_labels_come_first():
    rows = [
        row("a", texts=["1"]),
        row("a", texts=["2"], cells={"c": "1"}),
        row("b", texts=["3"]),
        row("a", texts=["4"], cells={"c": "1"}),
    ]
    chosen = [one["texts"][0] for one in choose_samples(rows, 3)]
    assert chosen == ["2", "3", "4"]


def test_a_picture_keeps_its_shape():
    with Image.open(io.BytesIO(shrunk(picture(40), 16))) as small:
        assert small.size == (16, 16)
    wide = io.BytesIO()
    Image.new("RGBA", (100, 20)).save(wide, "PNG")
    with Image.open(io.BytesIO(shrunk(wide.getvalue(), 50))) as small:
        assert small.size == (50, 10)
        assert min(small.getdata()[0]) > 250  # what is transparent is white
