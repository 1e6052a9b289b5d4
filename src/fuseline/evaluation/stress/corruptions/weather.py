"""Fog and too much light, after Hendrycks & Dietterich 2019, arXiv 1903.12261.

Left out: frost, which needs photographs of frost, and snow, which is white on pictures whose ground
often is white too.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from fuseline.evaluation.stress.corruptions.levels import levels, picture_of
from fuseline.evaluation.stress.corruptions.severity import graded

# A power of two.
MAP_SIDE = 256


def fog(picture: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Clouds laid over the picture, which is darkened so that its brightest level stays.

    Deviation: the clouds are drawn at one size and resized to the picture, so that pictures of all
    sizes get clouds of the same shape.
    """
    amount, decay = graded(((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)), severity)
    shares = levels(picture)
    height, width = shares.shape[:2]
    drawn = Image.fromarray(clouds(MAP_SIDE, decay, random))
    cover = np.asarray(drawn.resize((width, height), Image.Resampling.BILINEAR))
    brightest = shares.max()
    return picture_of((shares + amount * cover[:, :, None]) * brightest / (brightest + amount))


def brightness(picture: np.ndarray, severity: int, _random: np.random.Generator) -> np.ndarray:
    """More light: the value of each colour rises, its hue and saturation stay."""
    added = graded((0.1, 0.2, 0.3, 0.4, 0.5), severity)
    shares = levels(picture)
    value = shares.max(-1, keepdims=True)
    raised = np.minimum(value + added, 1.0)
    # Black has no hue: it becomes grey.
    factor = np.divide(raised, value, out=np.zeros_like(value), where=value > 0)
    return picture_of(np.where(value > 0, shares * factor, raised))


def clouds(side: int, decay: float, random: np.random.Generator) -> np.ndarray:
    """A fractal height map (S, S) float32 from 0 to 1 by midpoint displacement over diamonds and
    squares (Fournier et al. 1982), whose edges meet.

    Args:
        side: S, a power of two from 2 up.
        decay: by its square the displacement shrinks each time that the step halves: the
            benchmark's code multiplies the two factors that it has of it.
        random: draws the displacements.
    """
    heights = np.zeros((side, side), dtype=np.float32)
    step, reach = side, 1.0
    while step > 1:
        half = step // 2
        corners = heights[::step, ::step]
        below = corners + np.roll(corners, -1, axis=0)
        centres = _displaced(below + np.roll(below, -1, axis=1), reach, random)
        heights[half::step, half::step] = centres
        beside = corners + np.roll(corners, -1, axis=1) + centres + np.roll(centres, 1, axis=0)
        under = below + centres + np.roll(centres, 1, axis=1)
        heights[::step, half::step] = _displaced(beside, reach, random)
        heights[half::step, ::step] = _displaced(under, reach, random)
        step, reach = half, reach / decay**2
    heights -= heights.min()
    scaled: np.ndarray = heights / heights.max()
    return scaled


def _displaced(sums: np.ndarray, reach: float, random: np.random.Generator) -> np.ndarray:
    """Means of four heights, of which the sums are given, each moved by up to `reach`."""
    draws = random.random(sums.shape, dtype=np.float32)
    moved: np.ndarray = sums / 4 + np.float32(reach) * (2 * draws - 1)
    return moved
