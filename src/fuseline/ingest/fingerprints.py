"""Perceptual fingerprints: media that look or sound alike get nearly the same bits."""

from __future__ import annotations

import numpy as np
from PIL import Image


def image_fingerprint(image: Image.Image) -> bytes:
    """Fingerprint of an upright RGB or grey picture."""
    raise NotImplementedError


def audio_fingerprint(samples: np.ndarray, sampling_rate: int) -> bytes:
    """Fingerprint of a waveform (N,) float32 in [-1, 1], mono."""
    raise NotImplementedError


def video_fingerprint(frames: list[Image.Image]) -> bytes:
    """Fingerprint of a few frames at even times."""
    raise NotImplementedError
