"""Rows of a digit as picture, word and sound, each of them damaged in part.

The sounds are recordings named `DIGIT_SPEAKER_TAKE.wav`; pictures and words are drawn. No
modality suffices: each is now and then absent, unreadable, vague or plainly wrong.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = {
    "en": "zero one two three four five six seven eight nine",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PICTURE_SIZE = 64

# Shares of rows. Something beside the word is always there.
ABSENT = 0.25
VAGUE_WORD, WRONG_WORD = 0.45, 0.05
HIDDEN_PICTURE, WRONG_PICTURE = 0.35, 0.10
DROWNED_SOUND = 0.45

COLUMNS = ("id", "text", "image", "audio", "label", "group")


def write_rows(recordings: Path, folder: Path, num_rows: int, seed: int) -> Path:
    """Write media and a manifest of `num_rows` rows; each recording is used once at most.

    A group is one speaker's take of the ten digits.

    Args:
        recordings: folder of `DIGIT_SPEAKER_TAKE.wav`.
        folder: of the manifest and its media, made where it is not there.
        num_rows: at most as many as there are recordings.
        seed: of every draw.
    """
    takes = sorted({path.stem.split("_", 1)[1] for path in recordings.glob("*.wav")})
    random.Random(seed).shuffle(takes)
    names = [f"{digit}_{take}" for take in takes for digit in range(10)][:num_rows]
    for kind in ("pictures", "sounds"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for name in names:
            writer.writerow(_row(name, recordings, folder, random.Random(f"{seed} {name}")))
    return manifest


def _row(name: str, recordings: Path, folder: Path, draw: random.Random) -> dict[str, str]:
    digit, take = int(name[0]), name[2:]
    present = _present(draw)
    row = {"id": name, "label": WORDS["en"].split()[digit], "group": take}
    if "text" in present:
        row["text"] = word(digit, draw)
    if "image" in present:
        row["image"] = f"pictures/{name}.png"
        picture(digit, draw).save(folder / row["image"])
    if "audio" in present:
        row["audio"] = f"sounds/{name}.wav"
        samples, rate = soundfile.read(recordings / f"{name}.wav", dtype="float32")
        soundfile.write(folder / row["audio"], sound(samples, draw), rate)
    return row


def _present(draw: random.Random) -> list[str]:
    kept = [name for name in ("text", "image", "audio") if draw.random() >= ABSENT]
    # Rows of the same word alone would be copies of each other.
    return kept if set(kept) - {"text"} else [*kept, draw.choice(("image", "audio"))]


def word(digit: int, draw: random.Random) -> str:
    """A number word in some language with a slip of the pen, or something vague."""
    chance = draw.random()
    if chance < VAGUE_WORD:
        parity = "an odd number" if digit % 2 else "an even number"
        size = "a number below five" if digit < 5 else "a number from five to nine"
        return draw.choice((parity, size, "some number"))
    if chance < VAGUE_WORD + WRONG_WORD:
        digit = (digit + draw.randrange(1, 10)) % 10
    written = WORDS[draw.choice(list(WORDS))].split()[digit]
    return _misspelt(written, draw) if draw.random() < 0.6 else written


def _misspelt(written: str, draw: random.Random) -> str:
    place = draw.randrange(len(written))
    head, letter, tail = written[:place], written[place], written[place + 1 :]
    slips = [head + letter + letter + tail, head + draw.choice(LETTERS) + tail]
    if len(written) > 2:
        slips += [head + tail, head + tail[:1] + letter + tail[1:]]
    return draw.choice(slips)


def picture(digit: int, draw: random.Random) -> Image.Image:
    """A digit of any size, place, colour and slant, under noise; some are past reading."""
    chance = draw.random()
    hidden = chance < HIDDEN_PICTURE
    if HIDDEN_PICTURE <= chance < HIDDEN_PICTURE + WRONG_PICTURE:
        digit = (digit + draw.randrange(1, 10)) % 10
    ground = tuple(draw.randrange(120, 256) for _ in range(3))
    ink = tuple(draw.randrange(0, 110) for _ in range(3))
    mask = Image.new("L", (PICTURE_SIZE, PICTURE_SIZE))
    at = tuple(PICTURE_SIZE / 2 + draw.uniform(-6, 6) for _ in range(2))
    font = ImageFont.load_default(draw.uniform(30, 54))
    ImageDraw.Draw(mask).text(at, str(digit), 255, font, anchor="mm")
    mask = mask.rotate(draw.uniform(-25, 25), Image.Resampling.BICUBIC)
    mask = mask.filter(ImageFilter.GaussianBlur(draw.uniform(5, 8) if hidden else 0.7))
    drawn = Image.composite(
        Image.new("RGB", mask.size, ink), Image.new("RGB", mask.size, ground), mask
    )
    noise = np.random.default_rng(draw.getrandbits(32)).normal(
        0, 70 if hidden else draw.uniform(10, 40), (PICTURE_SIZE, PICTURE_SIZE, 3)
    )
    return Image.fromarray((np.asarray(drawn) + noise).clip(0, 255).astype(np.uint8))


def sound(samples: np.ndarray, draw: random.Random) -> np.ndarray:
    """The recording under noise, or drowned in it; now and then clipped."""
    drowned = draw.random() < DROWNED_SOUND
    decibels = draw.uniform(-12, -3) if drowned else draw.uniform(5, 25)
    level = float(np.sqrt(np.mean(samples**2))) * 10 ** (-decibels / 20)
    noise = np.random.default_rng(draw.getrandbits(32)).normal(0, level, len(samples))
    noisy = samples + noise.astype(np.float32)
    noisy = noisy / max(float(np.abs(noisy).max()), 1e-6)
    return np.clip(noisy * draw.choice((0.9, 0.9, 3.0)), -0.95, 0.95)
