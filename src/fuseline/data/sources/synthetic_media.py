"""Pictures, sounds and clips of the synthetic source, each telling one digit from 0 to 63."""

from __future__ import annotations

import colorsys
import math
import random
import wave
from io import BytesIO

import av
import numpy as np
from PIL import Image, ImageDraw

_HUES = 8

# Outlines within the unit square: eight hues of each of eight shapes are 64 figures.
_SHAPES: dict[str, list[tuple[float, float]]] = {
    "octagon": [(0.3, 0), (0.7, 0), (1, 0.3), (1, 0.7), (0.7, 1), (0.3, 1), (0, 0.7), (0, 0.3)],
    "triangle": [(0.5, 0), (1, 1), (0, 1)],
    "bar": [(0, 0.35), (1, 0.35), (1, 0.65), (0, 0.65)],
    "hourglass": [(0, 0), (1, 0), (0, 1), (1, 1)],
    "corner": [(0, 0), (0.4, 0), (0.4, 0.6), (1, 0.6), (1, 1), (0, 1)],
    "post": [(0.35, 0), (0.65, 0), (0.65, 1), (0.35, 1)],
    "arrow": [(0, 0), (1, 0.5), (0, 1), (0.4, 0.5)],
    "stairs": [(0, 0), (0.5, 0), (0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1), (0.5, 0.5), (0, 0.5)],
}

SAMPLING_RATE = 8000
_TONE_SAMPLES = 1000
_PITCHES = 8
_LOWEST_HERTZ, _PITCH_RATIO = 320.0, 1.32

FRAMES_PER_SECOND = 8
_FRAMES = 8
_DIRECTIONS = 8
_LEAST_FRAME_SIZE = 32


def picture(figure: int, size: int, rng: random.Random) -> bytes:
    """PNG of one figure, told by its hue and then its shape, somewhere on a grey ground."""
    ground = rng.randrange(200, 256)
    image = Image.new("RGB", (size, size), (ground, ground, ground))
    width = size * rng.uniform(0.5, 0.7)
    left, top = rng.uniform(0, size - width), rng.uniform(0, size - width)
    outline = list(_SHAPES.values())[figure // _HUES]
    points = [(left + x * width, top + y * width) for x, y in outline]
    ImageDraw.Draw(image).polygon(points, fill=_colour(figure % _HUES, rng))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _colour(hue: int, rng: random.Random) -> tuple[int, int, int]:
    """A strong colour of the hue, from 0 (red) to 255 a channel."""
    red, green, blue = colorsys.hsv_to_rgb(
        hue / _HUES, rng.uniform(0.8, 1.0), rng.uniform(0.7, 1.0)
    )
    return round(red * 255), round(green * 255), round(blue * 255)


def sound(digit: int, rng: random.Random) -> bytes:
    """WAV of two tones, an eighth of a second each: their pitches are the digit in base 8.

    A quieter tone, off the scale of the pitches, runs beneath and says nothing.
    """
    beneath = _LOWEST_HERTZ * _PITCH_RATIO ** (rng.randrange(_PITCHES) + 0.5)
    under = _tone(beneath, 2 * _TONE_SAMPLES, rng) * rng.uniform(0.05, 0.25)
    tones = [_tone(_hertz(pitch, rng), _TONE_SAMPLES, rng) for pitch in divmod(digit, _PITCHES)]
    samples = (np.concatenate(tones) * rng.uniform(0.4, 0.7) + under) * 32767
    file = BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLING_RATE)
        wav.writeframes(np.round(samples).astype("<i2").tobytes())
    return file.getvalue()


def _hertz(pitch: int, rng: random.Random) -> float:
    """One of eight pitches, a little out of tune; all lie below half the sampling rate."""
    return _LOWEST_HERTZ * _PITCH_RATIO**pitch * rng.uniform(0.98, 1.02)


def _tone(hertz: float, count: int, rng: random.Random) -> np.ndarray:
    """`count` float64 samples from -1 to 1, fading in and out so that nothing clicks."""
    times = np.arange(count) / SAMPLING_RATE
    fade = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / 80)
    return np.sin(2 * math.pi * (hertz * times + rng.random())) * fade


def clip(digit: int, size: int, rng: random.Random) -> bytes:
    """MP4 of one second: a square moves in one of eight directions, its hue tells the rest.

    Args:
        digit: direction plus eight times the hue.
        size: pixels a side, rounded to what the encoder takes.
        rng: the row's generator.
    """
    hue, direction = divmod(digit, _DIRECTIONS)
    side = max(_LEAST_FRAME_SIZE, size + size % 2)
    width = side * rng.uniform(0.2, 0.3)
    reach = (side - width) / 2
    angle = direction * 2 * math.pi / _DIRECTIONS
    step = reach * rng.uniform(0.85, 1.0)
    ground, colour = rng.randrange(200, 256), _colour(hue, rng)
    frames = []
    for number in range(_FRAMES):
        way = 2 * number / (_FRAMES - 1) - 1
        left, top = reach + step * way * math.cos(angle), reach + step * way * math.sin(angle)
        frame = Image.new("RGB", (side, side), (ground, ground, ground))
        ImageDraw.Draw(frame).rectangle((left, top, left + width, top + width), fill=colour)
        frames.append(frame)
    return _mp4(frames)


def _mp4(frames: list[Image.Image]) -> bytes:
    file = BytesIO()
    # Without `bitexact` the file names the version of the encoder.
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("mpeg4", FRAMES_PER_SECOND, options={"qscale": "3"})
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24"))
            )
        container.mux(stream.encode())
    return file.getvalue()
