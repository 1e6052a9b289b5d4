"""Pictures as shares of full brightness, in which the corruptions' constants are given."""

from __future__ import annotations

import numpy as np

from fuseline.errors import ContractError

# Side of the pictures that the paper's lengths are meant for.
REFERENCE_SIDE = 224


def levels(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 in [0, 1] of a picture (H, W, 3) uint8.

    Raises:
        ContractError: no such picture.
    """
    return checked(picture).astype(np.float32) / np.float32(255)


def checked(picture: np.ndarray) -> np.ndarray:
    """The picture, if it is one: (H, W, 3) uint8, at least one pixel.

    Raises:
        ContractError: it is not.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ContractError(
            "picture to corrupt: expected (H, W, 3) uint8 with at least one pixel, found"
            f" {picture.shape} {picture.dtype}. Convert it to RGB first."
        )
    return picture


def picture_of(shares: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 of shares, those outside [0, 1] cut off; rounded to the nearest."""
    picture: np.ndarray = np.rint(np.clip(shares, 0.0, 1.0) * 255).astype(np.uint8)
    return picture


def scale(picture: np.ndarray) -> float:
    """What to multiply lengths in pixels by: the paper's are of pictures of 224 pixels a side."""
    side: int = min(picture.shape[:2])
    return side / REFERENCE_SIDE
