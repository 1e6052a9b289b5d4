"""Corrupted media, from the examples table to features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fuseline.config import load_section
from fuseline.contracts import features_schema, read_manifest, read_table
from fuseline.data.modalities.extraction.stored_media import media_of
from fuseline.data.modalities.extractors import EXTRACTORS
from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.stress.corrupted_media import Pictures, Recordings, random_state
from fuseline.params.extract_features import ExtractFeaturesParams
from tests.support.examples_tables import write_examples
from tests.support.media import picture, sound, video
from tests.support.repository import REPOSITORY

SHIPPED = load_section("extract_features", ExtractFeaturesParams, REPOSITORY / "params.yaml")
KINDS = {"image": (Pictures, ["image"]), "audio": (Recordings, ["audio", "video"])}
NAMES = {"image": "gaussian_noise", "audio": "white_noise"}
SEED = 5


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype == np.float16 and one.tobytes() == other.tobytes()


def loaded(context, modality, example_ids):
    kind, columns = KINDS[modality]
    params = getattr(context.extract_features, modality)
    media = media_of(context.examples, example_ids, columns)
    return kind(media, params, context.base.precision, SEED)


def stored(folder):
    shape = read_manifest(folder, "features")["shape"]
    table = read_table(folder, features_schema(*shape), "features")
    cells = table.column("features").to_pylist()
    return [None if cell is None else np.array(cell, np.float16).reshape(shape) for cell in cells]


@pytest.mark.parametrize("modality", KINDS)
def test_without_corruption_they_are_the_features_of_the_pipeline(context, modality):
    rows = np.flatnonzero(context.test.present(modality))[::-1]
    assert len(rows) > 3
    test = context.test.take(rows)
    found = loaded(context, modality, test.example_ids).clean()
    assert same_bits(found, test.features[modality])


@pytest.mark.parametrize("encoder", ["patches", "efficientnet_lite0"])
def test_pictures_of_every_shape_keep_their_stored_features(tmp_path, encoder):
    torch.set_num_threads(1)
    pictures = [
        picture(),
        picture("JPEG", size=(300, 200)),
        None,
        picture(mode="RGBA", size=(1, 1)),
        picture(mode="L", size=(40, 64)),
    ]
    examples = write_examples(tmp_path / "examples", [{"image": content} for content in pictures])
    params = SHIPPED.image.model_copy(
        update={"encoder": encoder, "image_size": 64, "grid": 2, "batch_size": 3}
    )
    EXTRACTORS["image"](examples, tmp_path / "features", params, "fp32")
    media = Pictures(
        media_of(examples, [f"row-{n}" for n in range(5)], ["image"]), params, "fp32", 0
    )
    expected = [
        np.zeros(media.shape[1:], np.float16) if f is None else f
        for f in stored(tmp_path / "features")
    ]
    assert same_bits(media.clean(), np.stack(expected))
    assert not media.corrupted("fog", 5)[2].any()


def test_recordings_of_every_kind_keep_their_stored_features(tmp_path):
    rows = [
        {"audio": sound("FLAC")},
        {},
        {"video": video(sound_codec="aac")},
        {"video": video()},
        {"audio": sound("OGG", np.zeros(900, np.float32))},
    ]
    examples = write_examples(tmp_path / "examples", rows)
    EXTRACTORS["audio"](examples, tmp_path / "features", SHIPPED.audio, "fp32")
    ids = [f"row-{n}" for n in range(5)]
    media = Recordings(media_of(examples, ids, ["audio", "video"]), SHIPPED.audio, "fp32", 0)
    found = stored(tmp_path / "features")
    assert [feature is None for feature in found] == [False, True, False, True, False]
    for feature, again in zip(found, media.clean(), strict=True):
        assert same_bits(again, np.zeros_like(again) if feature is None else feature)


@pytest.mark.parametrize("modality", KINDS)
def test_a_row_is_corrupted_alike_whatever_stands_beside_it(context, modality):
    rows = np.flatnonzero(context.test.present(modality))
    ids = [context.test.example_ids[row] for row in rows]
    whole = loaded(context, modality, ids).corrupted(NAMES[modality], 4)
    part = loaded(context, modality, ids[3:0:-1]).corrupted(NAMES[modality], 4)
    assert same_bits(part, whole[3:0:-1])


@pytest.mark.parametrize("modality", KINDS)
def test_corruption_moves_features_and_severity_moves_them_further(context, modality):
    rows = np.flatnonzero(context.test.present(modality))
    media = loaded(context, modality, [context.test.example_ids[row] for row in rows])
    clean = media.clean().astype(np.float32)
    moved = [
        np.abs(media.corrupted(NAMES[modality], severity) - clean).mean() for severity in (1, 3, 5)
    ]
    assert 0 < moved[0] < moved[1] < moved[2]


@pytest.mark.parametrize("modality", KINDS)
def test_unknown_names_and_severities_are_refused(context, modality):
    media = loaded(context, modality, context.test.example_ids[:2])
    with pytest.raises(ConfigError, match="corruption: unknown name 'frost'"):
        media.corrupted("frost", 1)
    with pytest.raises(ConfigError, match="found 6"):
        media.corrupted(NAMES[modality], 6)


def test_a_row_that_the_table_lacks_is_named(context):
    with pytest.raises(ContractError, match="expected a row 'gone', found none"):
        media_of(context.examples, [*context.test.example_ids[:1], "gone"], ["image"])


def test_a_picture_that_cannot_be_decoded_names_its_row(tmp_path):
    examples = write_examples(tmp_path, [{"image": picture()[:60]}])
    params = SHIPPED.image.model_copy(update={"encoder": "patches"})
    with pytest.raises(ContractError, match="row 'row-0': its image cannot be decoded"):
        Pictures(media_of(examples, ["row-0"], ["image"]), params, "fp32", 0)


def test_features_beyond_float16_are_refused(context):
    media = loaded(context, "image", context.test.example_ids[:2])
    media._encoded = lambda _: iter([np.full((4, 2), np.inf, np.float16)] * len(media.rows))
    with pytest.raises(ContractError, match="corrupted image has features that float16 cannot"):
        media.corrupted("fog", 1)


def test_each_part_of_what_is_drawn_counts():
    def draw(*changed):
        return random_state(*changed).integers(2**60)

    base = (1, "row-1", "fog", 2)
    others = [(2, "row-1", "fog", 2), (1, "row-2", "fog", 2), (1, "row-1", "fog2", 2)]
    others += [(1, "row-1", "fog", 3), (1, 'row-1", "fog', "2", 2)]
    assert draw(*base) == draw(*base)
    assert len({draw(*base), *(draw(*other) for other in others)}) == 1 + len(others)
