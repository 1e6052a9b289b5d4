"""Fingerprints stay nearly the same when media are encoded anew, and differ where they differ."""

from __future__ import annotations

import io
import os
from pathlib import Path

import imagehash
import numpy as np
import pytest
import soundfile
import soxr
from PIL import Image, ImageDraw

from fuseline.data.ingest.duplicates.media import MediaIndex
from fuseline.data.ingest.fingerprints import (
    audio_fingerprint,
    image_fingerprint,
    video_fingerprint,
)
from fuseline.params.ingest import DuplicateParams

PARAMS = DuplicateParams(text_similarity=0.85, image_distance=4, audio_distance=0.15, max_copies=50)
RATE = 8000


def drawing(seed: int, size: int = 96) -> Image.Image:
    """Ten random boxes on white."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(10):
        left, top = random.integers(0, size * 3 // 4, 2)
        width, height = random.integers(size // 16, size // 2, 2)
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        draw.rectangle((int(left), int(top), int(left + width), int(top + height)), fill=colour)
    return image


def symmetric(size: int = 96) -> Image.Image:
    """A face: half of its cosine coefficients are nought."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 8, size - 9, size - 9), fill="gold")
    draw.ellipse((30, 36, 36, 42), fill="black")
    draw.ellipse((size - 37, 36, size - 31, 42), fill="black")
    return image


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def voice(seed: int, seconds: float = 0.6) -> np.ndarray:
    """Noise whose spectrum wanders, as of speech."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.normal(size=int(seconds * RATE)))
    formant = np.exp(-(np.linspace(-2, 6, len(spectrum)) ** 2))
    samples = np.fft.irfft(spectrum * formant)
    swell = np.interp(np.linspace(0, 8, len(samples)), np.arange(9), random.uniform(0.05, 1, 9))
    loud = samples * swell
    return (0.5 * loud / np.abs(loud).max()).astype(np.float32)


def re_encoded(samples: np.ndarray, kind: str, rate: int = RATE) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def are_copies(medium: str, first: bytes, second: bytes) -> bool:
    found = MediaIndex(medium, PARAMS).add([first, second])
    return found.values == [0, 0] or bool(found.near)


COPIES = {
    "jpeg": lambda image: jpeg(image, 40),
    "smaller": lambda image: image.resize((48, 48)),
    "larger": lambda image: image.resize((220, 220)),
    "palette": lambda image: image.quantize(64).convert("RGB"),
    "darker": lambda image: image.point(lambda value: int(value * 0.9)),
}


@pytest.mark.parametrize("change", COPIES)
@pytest.mark.parametrize("image", [drawing(3), symmetric()], ids=["drawing", "symmetric"])
def test_changed_picture_is_a_copy(image: Image.Image, change: str) -> None:
    copy = COPIES[change](image)
    assert are_copies("image", image_fingerprint(image), image_fingerprint(copy))


def test_library_hash_moves_where_ours_stays() -> None:
    """Why `imagehash.phash` is not called: symmetric pictures, as measured over emoji."""
    image, copy = symmetric(), jpeg(symmetric(), 40)
    theirs = imagehash.phash(image) - imagehash.phash(copy)
    ours = [np.frombuffer(image_fingerprint(each)[:8], np.uint64) for each in (image, copy)]
    assert int(np.bitwise_count(ours[0] ^ ours[1])[0]) <= 1 < theirs


def test_other_pictures_are_no_copies() -> None:
    near = MediaIndex("image", PARAMS).add([image_fingerprint(drawing(n)) for n in range(150)])
    assert near.near == {}


def test_colours_and_flat_pictures_are_told_apart() -> None:
    colours = ["red", "blue", "white", "black", "grey", "lime"]
    flat = [Image.new("RGB", (20, 30), colour) for colour in colours]
    circles = [flat[2].copy() for _ in colours]
    for circle, colour in zip(circles, colours, strict=True):
        ImageDraw.Draw(circle).ellipse((2, 2, 18, 28), fill=colour)
    prints = [image_fingerprint(image) for image in (*flat, *circles)]
    # The white circle on white is the flat white, and nothing else is like anything.
    assert MediaIndex("image", PARAMS).add(prints).values == [0, 1, 2, 3, 4, 5, 6, 7, 2, 8, 9, 10]
    assert MediaIndex("image", PARAMS).add(prints).near == {}


@pytest.mark.parametrize("kind", ["MP3", "OGG", "FLAC"])
def test_re_encoded_sound_is_a_copy(kind: str) -> None:
    samples = voice(1)
    copy = audio_fingerprint(re_encoded(samples, kind), RATE)
    assert are_copies("audio", audio_fingerprint(samples, RATE), copy)


def test_fingerprint_is_blind_to_loudness_and_rate() -> None:
    samples = voice(2)
    original = audio_fingerprint(samples, RATE)
    assert audio_fingerprint(samples * 0.2, RATE)[64:] == original[64:]
    resampled = soxr.resample(samples, RATE, 22050)
    assert are_copies("audio", original, audio_fingerprint(resampled, 22050))


def test_other_sounds_are_no_copies() -> None:
    prints = [audio_fingerprint(voice(seed), RATE) for seed in range(60)]
    assert MediaIndex("audio", PARAMS).add(prints).near == {}


def test_steady_tones_are_told_apart() -> None:
    time = np.arange(RATE) / RATE
    tones = [np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (440, 880)]
    assert not are_copies("audio", *(audio_fingerprint(tone, RATE) for tone in tones))


@pytest.mark.parametrize("samples", [0, 1, 100, 90 * RATE])
def test_sound_of_any_length_has_a_fingerprint(samples: int) -> None:
    assert len(audio_fingerprint(np.zeros(samples, np.float32), RATE)) == 322


def test_clip_is_told_by_its_frames() -> None:
    frames = [drawing(seed) for seed in range(6)]
    print_of = video_fingerprint(frames)
    assert len(print_of) == len(video_fingerprint(frames[:1]))
    assert are_copies("video", print_of, video_fingerprint([jpeg(f, 50) for f in frames]))
    # One frame of four is another picture.
    assert not are_copies("video", print_of, video_fingerprint([*frames[:5], drawing(9)]))


@pytest.mark.skipif("FUSELINE_TEST_DATA" not in os.environ, reason="no real data")
def test_takes_of_one_digit_by_one_speaker_are_no_copies() -> None:
    folder = Path(os.environ["FUSELINE_TEST_DATA"]) / "spoken_digits" / "recordings"
    prints = []
    for path in sorted(folder.glob("7_*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        prints.append(audio_fingerprint(samples, rate))
    assert len(prints) == 300
    assert MediaIndex("audio", PARAMS).add(prints).near == {}
