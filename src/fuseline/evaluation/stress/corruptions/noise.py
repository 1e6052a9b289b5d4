"""Noise of sensors and of transmission, after Hendrycks & Dietterich 2019, arXiv 1903.12261.

Deviation: impulses strike single colour channels by one draw each, so that what is struck at one
severity is struck at every higher one.
"""

from __future__ import annotations

import numpy as np

from fuseline.evaluation.stress.corruptions.levels import levels, picture_of
from fuseline.evaluation.stress.corruptions.severity import graded


def gaussian_noise(picture: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Normal noise of one deviation everywhere: little light."""
    deviation = graded((0.08, 0.12, 0.18, 0.26, 0.38), severity)
    shares = levels(picture)
    return picture_of(shares + deviation * _normal(shares, random))


def shot_noise(picture: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Light counted in few photons: Poisson noise."""
    photons = graded((60.0, 25.0, 12.0, 5.0, 3.0), severity)
    return picture_of(random.poisson(levels(picture) * photons) / photons)


def impulse_noise(picture: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Salt and pepper: a share of the values becomes 0 or 1, each half of them."""
    amount = graded((0.03, 0.06, 0.09, 0.17, 0.27), severity)
    shares = levels(picture)
    draws = random.random(shares.shape, dtype=np.float32)
    salt = random.random(shares.shape, dtype=np.float32) < 0.5
    return picture_of(np.where(draws < amount, salt, shares))


def speckle_noise(picture: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Normal noise that grows with the light."""
    deviation = graded((0.15, 0.2, 0.35, 0.45, 0.6), severity)
    shares = levels(picture)
    return picture_of(shares + shares * deviation * _normal(shares, random))


def _normal(like: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.standard_normal(like.shape, dtype=np.float32)
