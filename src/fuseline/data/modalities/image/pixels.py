"""Pictures to pixels, as every encoder of pictures takes them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fuseline.data.media.pictures import upright

if TYPE_CHECKING:
    from torch import Tensor


def picture_to_pixels(picture: Image.Image, image_size: int) -> np.ndarray:
    """Upright RGB on white, resized to a square: (3, S, S) uint8."""
    # A JPEG that is not decoded yet is decoded at a half, quarter or eighth of its size where
    # twice what is wanted remains: much faster for photographs.
    picture.draft(None, (2 * image_size, 2 * image_size))
    rgb = upright(picture).convert("RGB")
    if rgb.size != (image_size, image_size):
        rgb = rgb.resize((image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(rgb).transpose(2, 0, 1)


def stack_pixels(pictures: list[np.ndarray]) -> Tensor:
    """(B, 3, S, S) float32 in [0, 255], channels last in memory."""
    import torch

    # Decoded pictures have their channels last already; stacked so, they are copied in one piece.
    rows = np.stack([picture.transpose(1, 2, 0) for picture in pictures])
    return torch.from_numpy(rows).float().permute(0, 3, 1, 2)


def decode_pixels(content: bytes, image_size: int) -> np.ndarray:
    """Decode one stored picture: (3, S, S) uint8."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture_to_pixels(picture, image_size)
