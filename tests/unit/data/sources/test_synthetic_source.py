from __future__ import annotations

import colorsys
import hashlib
import io
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from fuseline.data.sources.base import RawRow
from fuseline.data.sources.synthetic import SyntheticSource
from fuseline.data.sources.synthetic_texts import WORDS
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]


def test_more_rows_leave_earlier_ones_as_they_were(build_params: Build) -> None:
    few = list(SyntheticSource(build_params(synthetic={"num_rows": 5})).rows())
    many = list(SyntheticSource(build_params(synthetic={"num_rows": 9})).rows())
    assert many[:5] == few


def test_label_needs_both_modalities(build_params: Build) -> None:
    rows = list(SyntheticSource(build_params(synthetic={"num_rows": 2000})).rows())
    for clue in ("word", "figure"):
        pairs = Counter((row.raw[clue], row.label) for row in rows)
        assert len(pairs) == 16
        # Evenly 125 a pair: neither clue favours a label.
        assert max(pairs.values()) < 175
    both: dict[tuple[str | None, ...], set[str | None]] = {}
    for row in rows:
        both.setdefault((row.raw["word"], row.raw["figure"]), set()).add(row.label)
    assert all(len(labels) == 1 for labels in both.values())


def test_text_carries_the_word_with_variety(build_params: Build) -> None:
    rows = list(SyntheticSource(build_params(synthetic={"num_rows": 200})).rows())
    assert all(str(row.raw["word"]) in str(row.text).lower() for row in rows)
    assert len({row.text for row in rows}) > 150


def test_groups_are_pairs(build_params: Build) -> None:
    rows = SyntheticSource(build_params(synthetic={"num_rows": 6})).rows()
    assert set(Counter(row.group for row in rows).values()) == {2}


@pytest.mark.parametrize(("num_classes", "image_size"), [(2, 8), (64, 8), (64, 32)])
def test_every_figure_looks_different(
    build_params: Build, num_classes: int, image_size: int
) -> None:
    sizes = {"num_rows": 300, "num_classes": num_classes, "image_size": image_size}
    rows = list(SyntheticSource(build_params(synthetic=sizes)).rows())
    figures: dict[bytes, set[str | None]] = {}
    for row in rows:
        assert row.image is not None
        figures.setdefault(row.image.bytes, set()).add(row.raw["figure"])
    assert all(len(figure) == 1 for figure in figures.values())


EVERY = ["text", "image", "audio", "video", "tabular"]


def _rows(build_params: Build, **changes: Any) -> list[RawRow]:
    return list(SyntheticSource(build_params(synthetic=changes)).rows())


def test_text_and_pictures_are_those_of_the_first_release(build_params: Build) -> None:
    row = _rows(build_params)[5]
    assert row.text == "Is that familiar thing in the river a badge?"
    assert (row.label, row.lang, row.audio, row.tabular) == ("class_01", "en", None, None)
    assert list(row.raw) == ["figure", "word", "text", "label"]
    assert row.image is not None
    with Image.open(io.BytesIO(row.image.bytes)) as picture:
        digest = hashlib.sha256(np.asarray(picture).tobytes()).hexdigest()
    assert digest.startswith("1c11da2da63e55c8")


def test_further_modalities_leave_the_others_as_they_were(build_params: Build) -> None:
    two, five = (_rows(build_params, num_rows=9, modalities=names) for names in (EVERY[:2], EVERY))
    assert [(row.text, row.image) for row in two] == [(row.text, row.image) for row in five]
    assert _rows(build_params, num_rows=9, modalities=EVERY) == five
    assert any(a.label != b.label for a, b in zip(two, five, strict=True))
    for name in EVERY:
        alone = _rows(build_params, num_rows=9, modalities=[name])
        assert [getattr(row, name) for row in alone] == [getattr(row, name) for row in five]


@pytest.mark.parametrize("names", [["text"], ["audio"], ["image", "tabular"], EVERY])
def test_rows_hold_what_is_asked_for_and_nothing_else(
    build_params: Build, names: list[str]
) -> None:
    source = SyntheticSource(build_params(synthetic={"num_rows": 3, "modalities": names}))
    assert source.fields == {*names, "label"}
    for row in source.rows():
        assert {name for name in EVERY if getattr(row, name) is not None} == set(names)
        assert row.lang == ("en" if "text" in names else None)


def test_label_is_the_sum_of_all_digits_and_no_four_of_five_tell_it(build_params: Build) -> None:
    rows = _rows(build_params, num_rows=1500, modalities=EVERY, num_classes=3)
    words = sorted({str(row.raw["word"]) for row in rows}, key=WORDS.index)
    digits = np.array(
        [
            [
                int(str(row.raw["figure"])),
                words.index(str(row.raw["word"])),
                *(int(str(row.raw[name])) for name in EVERY[2:]),
            ]
            for row in rows
        ]
    )
    labels = np.array([int(str(row.label)[-2:]) for row in rows])
    assert np.array_equal(digits.sum(axis=1) % 3, labels)
    for left_out in range(5):
        rest = np.delete(digits, left_out, axis=1).sum(axis=1) % 3
        counts = np.histogram2d(rest, labels, bins=3)[0]
        assert counts.min() > 120  # of about 167 a cell


def test_sound_tells_its_digit_by_two_pitches(build_params: Build) -> None:
    rows = _rows(build_params, num_rows=40, modalities=["audio"], num_classes=64)
    assert len({row.audio.bytes for row in rows if row.audio}) == 40
    for row in rows:
        assert row.audio is not None
        samples, rate = soundfile.read(io.BytesIO(row.audio.bytes))
        assert (rate, samples.shape) == (8000, (2000,))
        assert 0.3 < np.abs(samples).max() < 0.99
        loudest = [np.abs(np.fft.rfft(half)).argmax() * 8 for half in np.split(samples, 2)]
        pitches = np.round(np.log(np.array(loudest) / 320) / np.log(1.32)).astype(int)
        assert pitches[0] * 8 + pitches[1] == int(str(row.raw["audio"]))


def test_clip_tells_its_digit_by_direction_and_hue(build_params: Build) -> None:
    rows = _rows(build_params, num_rows=40, modalities=["video"], num_classes=64, image_size=9)
    hues: dict[int, set[int]] = {}
    for row in rows:
        assert row.video is not None
        with av.open(io.BytesIO(row.video.bytes)) as file:
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert len(frames) == 8
        # Where the frame is least grey, the square is.
        masks = [np.ptp(frame.astype(int), axis=2) > 90 for frame in frames]
        (top, left), (bottom, right) = (np.argwhere(masks[i]).mean(axis=0) for i in (0, -1))
        direction = round(np.arctan2(bottom - top, right - left) / (np.pi / 4)) % 8
        hue, expected = divmod(int(str(row.raw["video"])), 8)
        assert direction == expected
        colour = frames[4][masks[4]].mean(axis=0) / 255
        hues.setdefault(hue, set()).add(round(colorsys.rgb_to_hsv(*colour)[0] * 8) % 8)
    assert all(found == {hue} for hue, found in hues.items())


def test_columns_tell_their_digit_together(build_params: Build) -> None:
    rows = _rows(build_params, num_rows=400, modalities=["tabular"], num_classes=64)
    told: dict[tuple[Any, ...], set[str | None]] = {}
    for row in rows:
        cells = row.tabular or {}
        assert list(cells) == ["length", "material", "day", "weight"]
        month = date.fromisoformat(str(cells["day"])).month
        clue = (
            float(str(cells["length"])) > 50,
            cells["material"],
            (month - 1) // 3,
            float(str(cells["weight"])) > 4.5,
        )
        told.setdefault(clue, set()).add(row.raw["tabular"])
    assert all(len(digits) == 1 for digits in told.values())
    assert len(told) > 60


def test_media_are_the_same_in_another_process() -> None:
    script = (
        "import hashlib, random\n"
        "from fuseline.data.sources.synthetic_media import clip, sound\n"
        "rng = random.Random('x')\n"
        "made = clip(11, 32, rng) + sound(11, rng)\n"
        "print(hashlib.sha256(made).hexdigest())"
    )
    found = {
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(found) == 1


def test_retellings_are_captions_in_three_lengths_that_nothing_else_tells(
    build_params: Build,
) -> None:
    rows = _rows(build_params, num_rows=900)
    found = Counter(len(row.targets["retelling"].split()) for row in rows)
    assert sorted(found) == [2, 4, 8]
    assert min(found.values()) > 250
    for row in rows:
        caption, told = row.targets["caption"], row.targets["retelling"]
        bare = caption.replace("image ", "").replace("text ", "")
        assert told in (bare, caption) or told.replace("the ", "").replace(" is", "") == caption
    assert rows == _rows(build_params, num_rows=900)
