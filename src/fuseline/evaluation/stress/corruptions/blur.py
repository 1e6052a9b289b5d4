"""Blur of the lens, of the hand and of approach, after Hendrycks & Dietterich 2019, arXiv
1903.12261.

Deviations: lengths follow the picture's size, kernels are smoothed at their edges by the share of a
pixel that they cover, and beyond its borders a picture goes on as at them.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from scipy.fft import irfft2, next_fast_len, rfft2

from fuseline.evaluation.stress.corruptions.levels import checked, levels, picture_of, scale
from fuseline.evaluation.stress.corruptions.severity import graded

STEPS_PER_PIXEL = 4


def defocus_blur(picture: np.ndarray, severity: int, _random: np.random.Generator) -> np.ndarray:
    """Out of focus: each point becomes a disc."""
    radius = graded((3.0, 4.0, 6.0, 8.0, 10.0), severity)
    return _convolved(picture, disc(radius * scale(checked(picture))))


def motion_blur(picture: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """The camera moved: each point becomes a fading trail, up to 45 degrees from the horizontal."""
    radius, deviation = graded(
        ((10.0, 3.0), (15.0, 5.0), (15.0, 8.0), (15.0, 12.0), (20.0, 15.0)), severity
    )
    factor = scale(checked(picture))
    angle = math.radians(random.uniform(-45.0, 45.0))
    return _convolved(picture, trail(2 * radius * factor, deviation * factor, angle))


def zoom_blur(picture: np.ndarray, severity: int, _random: np.random.Generator) -> np.ndarray:
    """The camera came nearer: the mean of the picture at rising zooms about its centre."""
    nearest, step = graded(
        ((1.10, 0.01), (1.15, 0.01), (1.20, 0.02), (1.25, 0.02), (1.30, 0.03)), severity
    )
    image = Image.fromarray(checked(picture))
    zooms = 1.0 + step * np.arange(round((nearest - 1.0) / step) + 1)
    # The picture itself counts twice, as in the benchmark's code.
    total = levels(picture)
    for zoom in zooms:
        total = total + levels(_zoomed(image, zoom))
    return picture_of(total / (len(zooms) + 1))


def disc(radius: float) -> np.ndarray:
    """Kernel (K, K) float32 of a disc, in pixels, that sums to 1; a point below half a pixel."""
    reach = math.ceil(radius)
    across = np.arange(-reach, reach + 1)
    distance = np.hypot(across[:, None], across[None])
    return _unit(np.clip(radius + 0.5 - distance, 0.0, 1.0))


def trail(length: float, deviation: float, angle: float) -> np.ndarray:
    """Kernel (K, K) float32 of a line from the centre whose weights fall as half a bell curve.

    Args:
        length, deviation: in pixels.
        angle: in radians, from the horizontal.
    """
    along = np.linspace(0.0, length, 1 + math.ceil(length * STEPS_PER_PIXEL))
    weights = np.exp(-(along**2) / (2 * deviation**2))
    reach = math.ceil(length) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    rows, columns = reach + along * math.sin(angle), reach + along * math.cos(angle)
    # Each point of the line is shared by the four pixels around it.
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        near = np.abs(1 - row - rows % 1) * np.abs(1 - column - columns % 1)
        where = (np.floor(rows).astype(int) + row, np.floor(columns).astype(int) + column)
        np.add.at(kernel, where, weights * near)
    return _unit(kernel)


def _unit(kernel: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (kernel / kernel.sum()).astype(np.float32)
    return scaled


def _convolved(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    # `scipy.signal` has this as one function, but takes one to two seconds to import.
    reach = len(kernel) // 2
    padded = np.pad(levels(picture), ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    sides = [next_fast_len(side, real=True) for side in padded.shape[:2]]
    spectrum = rfft2(padded, sides, axes=(0, 1)) * rfft2(kernel, sides)[:, :, None]
    blurred = irfft2(spectrum, sides, axes=(0, 1))
    # What lies in front wraps around.
    height, width = picture.shape[:2]
    return picture_of(blurred[2 * reach :, 2 * reach :][:height, :width])


def _zoomed(image: Image.Image, zoom: float) -> np.ndarray:
    width, height = image.size
    left, top = width * (1 - 1 / zoom) / 2, height * (1 - 1 / zoom) / 2
    box = (left, top, width - left, height - top)
    return np.asarray(image.resize(image.size, Image.Resampling.BILINEAR, box=box))
