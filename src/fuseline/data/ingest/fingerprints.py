"""Perceptual fingerprints: media that look or sound alike get nearly the same bits.

A fingerprint is a hash, by which copies are searched, and a sketch, by which a hit is confirmed:
pictures of one outline in two colours share a hash, and two steady tones nearly do.

    image   8 bytes of hash, 12 x 12 RGB values; of several places all hashes, then all sketches
    video   4 hashes of 8 bytes, then 4 such sketches
    audio   64 bytes of hash, 2 bytes of length, 16 x 16 levels
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import soxr
from PIL import Image

IMAGE_SKETCH = (12, 12, 3)
HASH_BYTES = 8
VIDEO_FRAMES = 4
AUDIO_SKETCH = (16, 16)

_HASH_SIDE, _DCT_SIDE = 8, 32
# Coefficients this near the median count as below it. Of a symmetric picture half of them are
# nought, and their signs mere noise: with none, a tenth of re-encoded emoji lay 14 bits away.
_DCT_TOLERANCE, _LEAST_DCT_TOLERANCE = 0.05, 25.0

_RATE = 8000  # Hz; what speech needs, so that a telephone's copy is found
_WINDOW, _HOP = 512, 64  # samples
_MAX_FRAMES = 2048
_SPANS, _BANDS = 17, 33  # their differences are 16 x 32 bits
_LOWEST_HERTZ, _HIGHEST_HERTZ = 150.0, 3400.0
# Bands quieter than the loudest by this share are silence: their differences are noise.
_SILENCE = 1e-2
_SKETCH_DECIBELS = 60.0
_LENGTH_UNIT = 0.01  # seconds
LENGTH_BYTES = 2


def image_fingerprint(image: Image.Image) -> bytes:
    """Fingerprint of an upright RGB or grey picture, 440 bytes.

    The hash is `imagehash.phash`'s (Zauner 2010) but for the tolerance around the median.
    """
    return _image_hash(image) + _image_sketch(image)


def placed_fingerprint(pictures: Sequence[bytes | None]) -> bytes:
    """Fingerprint of pictures by place, of theirs; noughts where one is absent."""
    empty = bytes(HASH_BYTES + int(np.prod(IMAGE_SKETCH)))
    parts = [picture or empty for picture in pictures]
    return b"".join([*(p[:HASH_BYTES] for p in parts), *(p[HASH_BYTES:] for p in parts)])


def video_fingerprint(frames: list[Image.Image]) -> bytes:
    """Fingerprint of a clip by four of its frames, 1,760 bytes.

    Args:
        frames: at least one frame, at even times.
    """
    positions = np.linspace(0, len(frames) - 1, VIDEO_FRAMES).round().astype(int)
    chosen = [frames[position] for position in positions]
    return b"".join([*map(_image_hash, chosen), *map(_image_sketch, chosen)])


def audio_fingerprint(samples: np.ndarray, sampling_rate: int) -> bytes:
    """Fingerprint of a waveform, 322 bytes; blind to loudness and sampling rate.

    The hash holds the signs of the differences between neighbouring bands and spans of time
    (Haitsma and Kalker 2002). Unlike theirs, the spans are shares of the whole: a part of a
    recording, or one with silence around it, is another recording.

    Args:
        samples: (N,) float32 in [-1, 1], mono.
        sampling_rate: Hz.
    """
    seconds = len(samples) / sampling_rate
    length = min(round(seconds / _LENGTH_UNIT), 256**LENGTH_BYTES - 1)
    energies = _band_energies(samples, sampling_rate)
    seconds_and_levels = length.to_bytes(LENGTH_BYTES, "big") + _audio_sketch(energies)
    fingerprint: bytes = _audio_hash(energies) + seconds_and_levels
    return fingerprint


def _image_hash(image: Image.Image) -> bytes:
    small = image.convert("L").resize((_DCT_SIDE, _DCT_SIDE), Image.Resampling.LANCZOS)
    waves = _cosines()
    low = (waves @ np.asarray(small, np.float64) @ waves.T).ravel()
    strength = float(np.sqrt(np.mean(low[1:] ** 2)))
    tolerance = max(_DCT_TOLERANCE * strength, _LEAST_DCT_TOLERANCE)
    return np.packbits(low > np.median(low) + tolerance).tobytes()


def _image_sketch(image: Image.Image) -> bytes:
    small = image.convert("RGB").resize(IMAGE_SKETCH[:2], Image.Resampling.BILINEAR)
    sketch: bytes = small.tobytes()
    return sketch


def _band_energies(samples: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Mean energy by span of time and mel band, (17, 33) float64."""
    wave = samples if sampling_rate == _RATE else soxr.resample(samples, sampling_rate, _RATE)
    wave = np.pad(wave, (0, max(0, _WINDOW - len(wave))))
    hop = max(_HOP, len(wave) // _MAX_FRAMES)
    frames = np.lib.stride_tricks.sliding_window_view(wave, _WINDOW)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32))) ** 2
    energies = power @ _mel_filters()
    # Spans end between two frames: the running sum is read there by interpolation.
    running = np.concatenate([np.zeros((1, _BANDS)), np.cumsum(energies, axis=0)])
    ends = np.linspace(0, len(energies), _SPANS + 1)
    at_ends = [np.interp(ends, np.arange(len(running)), running[:, band]) for band in range(_BANDS)]
    return np.diff(np.stack(at_ends, axis=1), axis=0) * (_SPANS / len(energies))


def _audio_hash(energies: np.ndarray) -> bytes:
    levels = np.log(energies + _SILENCE * energies.max() + 1e-12)
    rises: np.ndarray = np.diff(np.diff(levels, axis=1), axis=0) > 0
    return np.packbits(rises).tobytes()


def _audio_sketch(energies: np.ndarray) -> bytes:
    """Levels from 0, silence, to 255, the loudest; (16, 16) uint8."""
    spans, bands = AUDIO_SKETCH
    coarse = (energies[:-1] + energies[1:])[:, : 2 * bands].reshape(spans, bands, 2).sum(axis=2)
    decibels = 10 * np.log10((coarse + 1e-12) / (coarse.max() + 1e-12))
    shares: np.ndarray = 1 + np.maximum(decibels, -_SKETCH_DECIBELS) / _SKETCH_DECIBELS
    return np.round(255 * shares).astype(np.uint8).tobytes()


@cache
def _cosines() -> np.ndarray:
    """The lowest waves of the discrete cosine transform of type 2, (8, 32)."""
    places = (2 * np.arange(_DCT_SIDE) + 1) * (np.pi / (2 * _DCT_SIDE))
    waves: np.ndarray = np.cos(np.arange(_HASH_SIDE)[:, None] * places)
    return waves


@cache
def _mel_filters() -> np.ndarray:
    # Transformers takes a second to load, which rows without sound need not wait for.
    from transformers.audio_utils import mel_filter_bank

    filters: np.ndarray = mel_filter_bank(
        _WINDOW // 2 + 1, _BANDS, _LOWEST_HERTZ, _HIGHEST_HERTZ, _RATE, mel_scale="htk"
    )
    return filters
