"""What processing does to a picture, after Hendrycks & Dietterich 2019, arXiv 1903.12261."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from fuseline.evaluation.stress.corruptions.levels import checked, levels, picture_of, scale
from fuseline.evaluation.stress.corruptions.severity import graded

# Over how many pixels of a picture of 224 neighbours move alike.
SMOOTHNESS = 2.24


def contrast(picture: np.ndarray, severity: int, _random: np.random.Generator) -> np.ndarray:
    """Each channel drawn towards its mean."""
    kept = graded((0.4, 0.3, 0.2, 0.1, 0.05), severity)
    shares = levels(picture)
    means = shares.mean(axis=(0, 1), keepdims=True)
    return picture_of((shares - means) * kept + means)


def elastic_transform(
    picture: np.ndarray, severity: int, random: np.random.Generator
) -> np.ndarray:
    """Small regions pulled aside (Simard et al. 2003).

    Deviations: no affine part, which the paper has beside it, and displacements are scaled to the
    deviation that its three higher severities have, so that they follow the picture's size.
    """
    deviation = graded((1.0, 1.3, 1.7, 2.0, 2.4), severity)
    shares, factor = levels(picture), scale(picture)
    height, width = shares.shape[:2]
    pulls = [_smooth_field((height, width), SMOOTHNESS * factor, random) for _ in range(2)]
    places = np.indices((height, width), dtype=np.float32)
    places += deviation * factor * np.stack(pulls)
    channels = [map_coordinates(shares[..., c], places, order=1, mode="reflect") for c in range(3)]
    return picture_of(np.stack(channels, axis=-1))


def pixelate(picture: np.ndarray, severity: int, _random: np.random.Generator) -> np.ndarray:
    """Made smaller, and large again without smoothing."""
    share = graded((0.6, 0.5, 0.4, 0.3, 0.25), severity)
    image = Image.fromarray(checked(picture))
    width, height = (max(1, int(side * share)) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BOX)
    return np.array(small.resize(image.size, Image.Resampling.NEAREST))


def jpeg_compression(
    picture: np.ndarray, severity: int, _random: np.random.Generator
) -> np.ndarray:
    """Saved as JPEG of low quality; its blocks have eight pixels whatever the picture's size."""
    quality = graded((25, 18, 15, 10, 7), severity)
    file = io.BytesIO()
    Image.fromarray(checked(picture)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.array(image)


def _smooth_field(shape: tuple[int, int], sigma: float, random: np.random.Generator) -> np.ndarray:
    """(H, W) float32 of deviation 1 whose neighbours are alike; zeros where it has no spread."""
    draws = random.uniform(-1.0, 1.0, shape).astype(np.float32)
    field: np.ndarray = gaussian_filter(draws, sigma, mode="reflect", truncate=3.0)
    spread = field.std()
    return field / spread if spread else np.zeros_like(field)
