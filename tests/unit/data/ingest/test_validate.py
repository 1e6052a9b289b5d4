from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from fuseline.contracts import EXAMPLES
from fuseline.data.ingest.fingerprints import (
    audio_fingerprint,
    image_fingerprint,
    video_fingerprint,
)
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.validate import Validator, raw_json
from fuseline.data.media.audio import decode_audio
from fuseline.data.media.video import sample_frames
from fuseline.data.sources import Media, Problem, RawRow
from fuseline.params.ingest import IngestParams
from tests.support.media import picture, sound, video

Build = Callable[..., IngestParams]
EVERY = frozenset({"text", "image", "audio", "video", "tabular", "label"})


@pytest.fixture
def validator(build_params: Build) -> Validator:
    return Validator(build_params(), EVERY, {})


def _row(**values: Any) -> RawRow:
    return RawRow(**{"source_row": 7, "example_id": "r", "label": "x", "raw": {}} | values)


def test_a_candidate_holds_every_column(validator: Validator) -> None:
    row = _row(
        batch=2,
        text=" words ",
        group="g",
        split=" Validation ",
        lang="en",
        image=Media(picture(), "a.png"),
        audio=Media(sound(), None),
        video=Media(video(), "a.mp4"),
        tabular={"price": " 1.5 ", "colour": None},
        license=" CC0 ",
        provenance="here",
    )
    candidate = validator.keep(row)
    assert candidate.batch == 2
    assert candidate.record == {
        "example_id": "r",
        "source_row": 7,
        "group": "g",
        "split": "dev",
        "text": "words",
        "label": "x",
        "lang": "en",
        "image": {"bytes": picture(), "path": "a.png"},
        "audio": {"bytes": sound(), "path": None},
        "video": {"bytes": video(), "path": "a.mp4"},
        "tabular": {"price": "1.5", "colour": None},
        "targets": None,
        "license": "CC0",
        "provenance": "here",
        "sanitised": [
            *("split:whitespace", "text:whitespace", "tabular:whitespace", "license:whitespace")
        ],
        "findings": [],
    }
    assert set(candidate.record) == set(EXAMPLES.names)


@pytest.mark.parametrize(
    ("names", "split"),
    [
        (["train", "Training", "TRAIN\u00a0"], "train"),
        (["dev", "development", "val", "valid", "VALIDATION"], "dev"),
        (["test", "Testing"], "test"),
        (["", "  ", "\u200b", None], None),
    ],
)
def test_splits_have_the_names_that_people_give_them(
    validator: Validator, names: list[str | None], split: str | None
) -> None:
    for number, name in enumerate(names):
        row = _row(example_id=f"r{number}", text="words", split=name)
        assert validator.keep(row).record["split"] == split


@pytest.mark.parametrize("name", ["eval", "evaluation", "trian", "0", "nan", "train,test", "all"])
def test_any_other_name_of_a_split_is_refused(validator: Validator, name: str) -> None:
    with pytest.raises(Refusal, match=f"{name}' names no split; expected train, dev, test") as e:
        validator.keep(_row(text="words", split=name))
    assert e.value.reason == "unknown_split"


def test_fingerprints_are_of_the_media_as_they_are_seen(validator: Validator) -> None:
    row = _row(image=Media(picture(), None), audio=Media(sound(), None), video=Media(video(), None))
    waveform = decode_audio(sound())
    assert validator.keep(row).fingerprints == {
        "image": image_fingerprint(Image.open(BytesIO(picture()))),
        "audio": audio_fingerprint(waveform.samples, waveform.sampling_rate),
        "video": video_fingerprint(sample_frames(video(), 4)),
    }


def test_no_group_is_none(validator: Validator) -> None:
    assert validator.keep(_row(text="words", group=" ")).record["group"] is None


@pytest.mark.parametrize(
    "content",
    [
        {"text": "words"},
        {"image": Media(picture(), None)},
        {"audio": Media(sound(), None)},
        {"video": Media(video(), None)},
        {"tabular": {"price": "0", "colour": None}},
    ],
)
def test_any_modality_is_enough(validator: Validator, content: dict[str, Any]) -> None:
    record = validator.keep(_row(**content)).record
    present = {name for name in ("text", "image", "audio", "video", "tabular") if record[name]}
    assert present == set(content)
    assert record["sanitised"] == []


@pytest.mark.parametrize(
    "content", [{}, {"text": " "}, {"tabular": {"price": " ", "colour": None}}]
)
def test_a_row_of_nothing(build_params: Build, content: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refusal:
        Validator(build_params(), EVERY, {}).keep(_row(**content))
    assert refusal.value.reason == "empty_text"
    with pytest.raises(Refusal) as refusal:
        Validator(build_params(), EVERY - {"text"}, {}).keep(_row(**content))
    assert refusal.value.reason == "missing_media"


def test_the_sources_own_problem_comes_first(validator: Validator) -> None:
    row = _row(label=None, problems=(Problem("unsafe_path", "Out."), Problem("x", "y")))
    with pytest.raises(Refusal, match="Out") as refusal:
        validator.keep(row)
    assert refusal.value.reason == "unsafe_path"


def test_ids_of_refused_rows_stay_free(validator: Validator) -> None:
    with pytest.raises(Refusal):
        validator.keep(_row(image=Media(b"damaged", None)))
    validator.keep(_row(text="words"))
    with pytest.raises(Refusal, match="An earlier row") as refusal:
        validator.keep(_row(text="others"))
    assert refusal.value.reason == "duplicate_id"


def test_rows_that_hold_the_same_are_told_so_where_none_has_an_id(validator: Validator) -> None:
    validator.keep(_row(text="words", is_named=False))
    with pytest.raises(Refusal, match=r"An earlier row holds the same, .* columns\.id") as refusal:
        validator.keep(_row(text="words", is_named=False))
    assert refusal.value.reason == "duplicate_id"


@pytest.mark.parametrize(
    "field", ["text", "label", "group", "split", "lang", "license", "provenance"]
)
def test_every_text_has_a_limit(validator: Validator, field: str) -> None:
    with pytest.raises(Refusal, match=rf"{field}: 20001 characters") as refusal:
        validator.keep(_row(**{"text": "words", field: "x" * 20_001}))
    assert refusal.value.reason == "oversized_text"


def test_a_change_is_told_once(validator: Validator) -> None:
    record = validator.keep(_row(tabular={"a": " 1", "b": "2 "})).record
    assert record["sanitised"] == ["tabular:whitespace"]


def test_cells_that_are_all_empty_are_absent(validator: Validator) -> None:
    record = validator.keep(_row(text="words", tabular={"price": " ", "colour": "\u200b"})).record
    assert record["tabular"] is None
    with pytest.raises(Refusal) as refusal:
        validator.keep(_row(example_id="b", tabular={"price": "\u200b", "colour": None}))
    assert refusal.value.reason == "empty_text"


def test_formulas_are_found_in_every_field_and_told_once(validator: Validator) -> None:
    cells = {"a": "=1+1", "b": "=2+2", "c": "-5"}
    record = validator.keep(_row(tabular=cells, group="=3", license="<b>free</b>")).record
    assert record["findings"] == ["tabular:formula", "group:formula", "license:html"]


def test_a_forgotten_id_is_free(validator: Validator) -> None:
    row = _row(text="words")
    kept = validator.keep(row).record["example_id"]
    validator.forget(kept)
    assert validator.keep(row).record["example_id"] == kept


def test_personal_data_in_cells_is_masked(validator: Validator) -> None:
    record = validator.keep(_row(tabular={"contact": " a@b.de", "phone": "2126647665"})).record
    assert record["tabular"] == {"contact": "[EMAIL]", "phone": "[PHONE]"}
    assert record["sanitised"] == ["tabular:whitespace", "tabular:email", "tabular:phone"]


@pytest.mark.parametrize("label", ["None", "none", "NA", "nano", "0"])
def test_labels_that_only_look_missing(validator: Validator, label: str) -> None:
    assert validator.keep(_row(text="words", label=label)).record["label"] == label


@pytest.mark.parametrize(
    ("name", "lies"), [("a.PNG", False), ("noending", False), (None, False), ("a.jpg", True)]
)
def test_endings(validator: Validator, name: str | None, lies: bool) -> None:
    record = validator.keep(_row(image=Media(picture(), name))).record
    assert record["sanitised"] == (["image:extension"] if lies else [])


def test_raw_values_are_masked_before_they_are_cut() -> None:
    value = "x" * 495 + " 4111 1111 1111 1111 " + "y" * 10_000
    shown = raw_json(
        {"a": value, "b": None}, mask=lambda _, text: text.replace("4111 1111", "****")
    )
    assert "4111" not in shown
    assert '"b": null' in shown
