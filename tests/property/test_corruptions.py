"""More severity, more damage; on pictures with shapes, texture and shading as real ones have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from fuseline.evaluation.stress.corruptions import AUDIO_CORRUPTIONS, IMAGE_CORRUPTIONS
from fuseline.evaluation.stress.corruptions.severity import SEVERITIES

# A clip that is shifted differs no more from itself, the further it is, but loses more.
BY_DIFFERENCE = [name for name in AUDIO_CORRUPTIONS if name != "time_shift"]


def picture(seed, height, width):
    random = np.random.default_rng(seed)
    shares = np.empty((height, width, 3))
    shares[:] = random.uniform(0.1, 0.9, 3)
    rows, columns = np.indices((height, width)) / min(height, width)
    for _ in range(6):
        row, column, radius = random.random(), random.random(), random.uniform(0.1, 0.35)
        shares[np.hypot(rows - row, columns - column) < radius] = random.uniform(0.0, 1.0, 3)
    shading = gaussian_filter(random.normal(size=(height, width)), min(height, width) / 8)
    shares += 0.1 * (shading / shading.std())[..., None]
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def waveform(seed, count):
    random = np.random.default_rng(seed)
    samples = gaussian_filter(random.normal(size=count), random.uniform(1, 8))
    return (random.uniform(0.05, 0.9) * samples / np.abs(samples).max()).astype(np.float32)


def damage(corrupt, medium, seed):
    """Mean squared difference to the clean medium at each severity, by the same generator."""
    clean = medium.astype(np.float64)
    return [
        float(np.mean((corrupt(medium, s, np.random.default_rng(seed)) - clean) ** 2))
        for s in SEVERITIES
    ]


# By how much of it the damage to a single picture may fall from one severity to the next: from 3 to
# 4 fog gets finer, not thicker, blocks fall on other places than larger ones, and counts are drawn.
FALL = {"fog": 0.25, "pixelate": 0.15, "shot_noise": 0.02}


@pytest.mark.parametrize("name", IMAGE_CORRUPTIONS)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(40, 100), st.integers(40, 100))
def test_damage_to_a_picture_does_not_fall_with_severity(name, seed, height, width):
    found = damage(IMAGE_CORRUPTIONS[name], picture(seed, height, width), seed)
    least = [value * (1 - FALL.get(name, 0.0)) for value in found]
    assert all(a <= b for a, b in zip(least, found[1:], strict=False)), found
    assert 0 < found[0] < found[-1], found


@pytest.mark.parametrize("name", IMAGE_CORRUPTIONS)
def test_mean_damage_strictly_rises_with_severity(name):
    found = [damage(IMAGE_CORRUPTIONS[name], picture(seed, 72, 72), seed) for seed in range(24)]
    means = np.mean(found, axis=0)
    assert (np.diff(means) > 0).all(), means


@pytest.mark.parametrize("name", BY_DIFFERENCE)
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(200, 5000))
def test_damage_to_a_recording_rises_with_severity(name, seed, count):
    found = damage(AUDIO_CORRUPTIONS[name], waveform(seed, count), seed)
    assert (np.diff([0.0, *found]) > 0).all(), found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(200, 5000))
def test_a_shifted_recording_loses_more_with_severity(seed, count):
    clean = np.full(count, 0.5, np.float32)
    shift = AUDIO_CORRUPTIONS["time_shift"]
    lost = [int((shift(clean, s, np.random.default_rng(seed)) == 0).sum()) for s in SEVERITIES]
    assert (np.diff([0, *lost]) > 0).all()
