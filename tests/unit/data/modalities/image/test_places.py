"""Features of several pictures a row: each at its place, those of absent ones NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fuseline.config import parse_section, read_yaml
from fuseline.contracts import TOKENS, TableWriter, examples_schema, read_manifest
from fuseline.data.dataset import MultimodalData, load_data
from fuseline.data.modalities.extraction.extract import Runtime
from fuseline.data.modalities.extraction.feature_cache import FeatureCache
from fuseline.data.modalities.extraction.stored_media import pictures_of
from fuseline.data.modalities.image.features import extract_image_features
from fuseline.data.modalities.image.stored_pictures import StoredPictures
from fuseline.evaluation.leakage.neighbours import feature_vectors
from fuseline.evaluation.stress.corrupted_media import Pictures
from fuseline.evaluation.twins.classification import feature_blocks
from fuseline.params.extract_features import ExtractFeaturesParams
from tests.support.examples_tables import png
from tests.support.repository import PARAMS_FILE

# By row the colours at three places; black is a picture, and none is none.
ROWS = [
    ("red", "green", "blue"),
    ("red", None, None),
    (None, "green", None),
    (None, None, None),
    ("black", None, "red"),
]
IDS = [f"row-{row}" for row in range(len(ROWS))]
PARAMS = parse_section(read_yaml(PARAMS_FILE), "extract_features", ExtractFeaturesParams)
IMAGE = PARAMS.image.model_copy(update={"encoder": "patches", "image_size": 8, "grid": 2})


def _example(number: int, colours: tuple[str | None, ...]) -> dict[str, object]:
    schema = examples_schema(len(colours))
    held = [
        (place, {"bytes": png(colour), "path": None})
        for place, colour in enumerate(colours)
        if colour
    ]
    pictures = [picture for _, picture in held]
    row = dict.fromkeys(schema.names) | {
        "example_id": f"row-{number}",
        "source_row": number,
        "split": "train",
        "group": f"g{number}",
        "sanitised": [],
        "findings": [],
        "image": pictures[0] if pictures else None,
    }
    if len(colours) > 1:
        row |= {"more_images": pictures[1:], "image_places": [place for place, _ in held]}
    return row


def _write(folder: Path, rows: list[tuple[str | None, ...]]) -> Path:
    places = len(rows[0])
    examples = TableWriter(folder / "examples", examples_schema(places), "examples")
    tokens = TableWriter(folder / "tokens", TOKENS, "tokens")
    table = [_example(number, colours) for number, colours in enumerate(rows)]
    for shard, start in enumerate(range(0, len(rows), 3)):
        part = table[start : start + 3]
        name = f"{shard:05d}.parquet"
        examples.write(name, pa.Table.from_pylist(part, examples_schema(places)))
        ids = [{k: row[k] for k in ("example_id", "split", "group", "lang")} for row in part]
        texts = [row | {"input_ids": [2, 3], "has_text": False} for row in ids]
        tokens.write(name, pa.Table.from_pylist(texts, TOKENS))
    examples.finish(**({"max_images": places} if places > 1 else {}))
    tokens.finish()
    return folder


def _loaded(folder: Path, runtime: Runtime | None = None) -> MultimodalData:
    features = folder / "features" / "image"
    extract_image_features(folder / "examples", features, IMAGE, "fp32", runtime)
    return load_data(folder / "tokens", folder / "features", ["image"], pad_token_id=0)


@pytest.fixture
def data(tmp_path: Path) -> MultimodalData:
    return _loaded(_write(tmp_path, ROWS))


def test_each_picture_has_the_features_that_it_has_alone(
    data: MultimodalData, tmp_path: Path
) -> None:
    colours = ["red", "green", "blue", "black"]
    alone = _loaded(_write(tmp_path / "alone", [(colour,) for colour in colours]))
    of = dict(zip(colours, alone.features["image"], strict=True))
    placed = data.features["image"].reshape(len(ROWS), 3, *of["red"].shape)
    for row, names in enumerate(ROWS):
        for place, name in enumerate(names):
            if name:
                assert np.array_equal(placed[row, place], of[name])
            else:
                assert np.isnan(placed[row, place]).all() == any(names)
    assert data.feature_mask["image"].tolist() == [True, True, True, False, True]
    assert (placed[3] == 0).all()


def test_the_manifest_and_metrics_count_what_is_there(tmp_path: Path) -> None:
    folder = _write(tmp_path, ROWS)
    features = folder / "features"
    metrics = extract_image_features(folder / "examples", features, IMAGE, "fp32")
    manifest = read_manifest(features, "features")
    assert (manifest["places"], manifest["shape"][0]) == (3, 12)
    assert (metrics["rows"], metrics["missing"], metrics["positions"]) == (5, 1, 12)
    assert 0 < metrics["mean_norm"] < 1e3


def test_a_cache_gives_the_same_bytes_and_one_place_its_own_table(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", 10**8)
    folders = [_write(tmp_path / name, ROWS) for name in ("cold", "warm")]
    for folder in folders:
        _loaded(folder, Runtime(cache))
    cold, warm = (
        {path.name: path.read_bytes() for path in (folder / "features" / "image").iterdir()}
        for folder in folders
    )
    assert cold == warm


def test_pixels_are_stacked_by_place(tmp_path: Path) -> None:
    folder = _write(tmp_path, ROWS)
    pixels = StoredPictures(folder / "examples", IDS, 8)(IDS[::-1])
    assert pixels.shape == (5, 3, 3, 8, 8)
    first = pixels[-1].mean((2, 3))
    assert [place.argmax().item() for place in first] == [0, 1, 2]
    assert not pixels[-2, 1:].any()


def test_clean_pictures_of_the_stress_suite_are_those_of_the_table(
    data: MultimodalData, tmp_path: Path
) -> None:
    media, places = pictures_of(tmp_path / "examples", IDS)
    pictures = Pictures(media, IMAGE, "fp32", 0, places)
    assert np.array_equal(pictures.clean(), data.features["image"], equal_nan=True)
    corrupted = pictures.corrupted("brightness", 3)
    assert np.array_equal(np.isnan(corrupted), np.isnan(data.features["image"]))
    assert not np.array_equal(corrupted, data.features["image"], equal_nan=True)


def test_means_leave_out_what_is_absent(data: MultimodalData, tmp_path: Path) -> None:
    blocks = feature_blocks(data, None)
    assert np.isfinite(blocks["image"].values).all()
    red = data.features["image"][1, :4].mean(0, dtype=np.float32)
    assert np.allclose(blocks["image"].values[1], red)
    (train, test) = feature_vectors(tmp_path / "features" / "image", IDS[:3], IDS[3:])
    assert np.isfinite(train.values).all()
    assert np.isfinite(test.values).all()
    assert (len(train.rows), len(test.rows)) == (3, 1)
