"""Suites `image` and `audio` on two untrained models."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from fuseline.evaluation.stress.audio import corrupted_recordings
from fuseline.evaluation.stress.corruption_scores import CorruptedRows
from fuseline.evaluation.stress.image import corrupted_pictures
from fuseline.params.stress_media import AudioStressParams, ImageStressParams

IMAGE = {"corruptions": ["gaussian_noise", "fog"], "severities": [1, 5], "max_rows": 6}
AUDIO = {"corruptions": ["white_noise", "clipping"], "severities": [2, 4], "max_rows": 6}
SUITES = {
    "image": (corrupted_pictures, ImageStressParams.model_validate(IMAGE)),
    "audio": (corrupted_recordings, AudioStressParams.model_validate(AUDIO)),
}
every_suite = pytest.mark.parametrize("modality", SUITES)
SCORES = {"accuracy", "macro_f1"}


def run(context, modality, **changes):
    suite, params = SUITES[modality]
    return suite(context, params.model_copy(update=changes)).figures()


def numbers(value):
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return [number for item in items for number in numbers(item)]
    return [value]


class FakeMedia:
    """Features that are right at the first severity and zeros at any other."""

    def __init__(self, features):
        self.features, self.asked = features, []

    def clean(self):
        return self.features

    def corrupted(self, name, severity):
        self.asked.append((name, severity))
        return self.features if severity == 1 else np.zeros_like(self.features)


@every_suite
def test_keys_are_fixed_and_numbers_finite_the_same_twice(context, modality):
    found = run(context, modality)
    params = SUITES[modality][1]
    assert set(found) == {"finetuned", "adversarial"}
    for figures in found.values():
        assert set(figures) == {"rows", "clean", "mean", "relative", "corruptions"}
        assert figures["rows"] == 6
        assert list(figures["corruptions"]) == params.corruptions
        for points in figures["corruptions"].values():
            assert [point["severity"] for point in points] == params.severities
            assert all(set(point) == {"severity", "alone", *SCORES} for point in points)
            assert all(set(point["alone"]) == SCORES for point in points)
        for part in ("clean", "mean", "relative"):
            assert set(figures[part]) == {"alone", *SCORES}
    assert all(math.isfinite(number) for number in numbers(found))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert run(context, modality) == found


@every_suite
def test_means_are_of_all_points_and_shares_of_the_clean_score(context, modality):
    for figures in run(context, modality).values():
        points = [point for points in figures["corruptions"].values() for point in points]
        for score in SCORES:
            mean = np.mean([point[score] for point in points])
            assert figures["mean"][score] == pytest.approx(mean)
            alone = np.mean([point["alone"][score] for point in points])
            assert figures["mean"]["alone"][score] == pytest.approx(alone)
            clean = figures["clean"][score]
            share = figures["mean"][score] / clean if clean else 0.0
            assert figures["relative"][score] == pytest.approx(share)


def test_each_corruption_is_encoded_once_for_all_models(context):
    rows = np.flatnonzero(context.test.present("image"))
    media = FakeMedia(context.test.features["image"][rows])
    params = ImageStressParams(corruptions=["fog", "pixelate"], severities=[1, 2], max_rows=1000)
    found = CorruptedRows(context, "image", params, lambda _: media).figures()
    assert media.asked == [("fog", 1), ("fog", 2), ("pixelate", 1), ("pixelate", 2)]
    for name, figures in found.items():
        first, second = figures["corruptions"]["fog"]
        assert {key: first[key] for key in figures["clean"]} == figures["clean"]
        gone = context.test.take(rows)
        zeros = {"image": np.zeros_like(gone.features["image"])}
        changed = replace(gone, features=gone.features | zeros)
        assert second["accuracy"] == context.score(name, changed)["accuracy"]


def test_rows_without_the_modality_are_left_out(context):
    present = context.test.present("image") & (np.arange(len(context.test)) < 4)
    mask = context.test.feature_mask | {"image": present}
    few = replace(context, test=replace(context.test, feature_mask=mask))
    assert run(few, "image")["finetuned"]["rows"] == present.sum() > 0


@every_suite
def test_where_no_row_has_it_keys_stay_and_no_encoder_is_loaded(context, modality, monkeypatch):
    nobody = np.zeros(len(context.test), dtype=bool)
    mask = context.test.feature_mask | {modality: nobody}
    without = replace(context, test=replace(context.test, feature_mask=mask))

    def refuse(*_):
        raise AssertionError("an encoder was loaded")

    reader = {"image": "pictures_of", "audio": "media_of"}[modality]
    monkeypatch.setattr(f"fuseline.evaluation.stress.{modality}.{reader}", refuse)
    found = run(without, modality)
    assert found["finetuned"]["rows"] == 0
    assert set(numbers({k: v for k, v in found["finetuned"].items() if k != "corruptions"})) == {0}
    assert list(found["finetuned"]["corruptions"]) == SUITES[modality][1].corruptions


@every_suite
def test_a_modality_that_takes_no_part_has_no_figures(context, modality):
    base = context.base.model_copy(update={"modalities": ["text"]})
    assert run(replace(context, base=base), modality) == {"finetuned": {}, "adversarial": {}}


def test_a_single_modality_needs_no_scores_alone(context):
    base = context.base.model_copy(update={"modalities": ["image"]})
    found = run(replace(context, base=base), "image")
    assert set(found["finetuned"]["clean"]) == SCORES


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"severities": [0]}, "greater than or equal to 1"),
        ({"severities": [6]}, "less than or equal to 5"),
        ({"severities": [3, 1]}, "severities must rise"),
        ({"severities": [2, 2]}, "severities must rise"),
        ({"severities": []}, "at least 1 item"),
        ({"corruptions": ["fog", "fog"]}, "each corruption may stand once"),
        ({"corruptions": ["frost"]}, "Input should be 'gaussian_noise'"),
        ({"max_rows": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_params_are_refused(change, said):
    with pytest.raises(ValidationError, match=said):
        ImageStressParams.model_validate(IMAGE | change)
