"""Stored pictures as pixels, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from fuseline.data.modalities.extraction.stored_media import pictures_of
from fuseline.data.modalities.image.pixels import decode_pixels, stack_pixels


class StoredPictures:
    """Pictures of the examples table, decoded as for extraction. Their files are kept in memory as
    they are stored, and decoded whenever they are asked for.

    Args:
        examples: the examples table.
        example_ids: those that may be asked for.
        image_size: S, pixels a side.

    Raises:
        ContractError: the table lacks a row.
    """

    def __init__(self, examples: Path, example_ids: Sequence[str], image_size: int) -> None:
        media, self._places = pictures_of(examples, example_ids)
        self._media = {
            example_id: media[row * self._places : (row + 1) * self._places]
            for row, example_id in enumerate(example_ids)
        }
        self._decode = partial(decode_pixels, image_size=image_size)
        # What an absent picture is does not matter, only that it is one.
        self._absent = np.zeros((3, image_size, image_size), dtype=np.uint8)

    def __call__(self, example_ids: Sequence[str]) -> Tensor:
        """(B, 3, S, S) float32 in [0, 255], of rows with K places (B, K, 3, S, S); zeros for a
        picture that is absent.

        Raises:
            ContractError: a picture that cannot be decoded; it names the row.
        """
        media = [medium for example_id in example_ids for medium in self._media[example_id]]
        pixels = stack_pixels(
            [self._absent if medium is None else medium.decoded(self._decode) for medium in media]
        )
        if self._places == 1:
            return pixels
        return pixels.reshape(-1, self._places, *pixels.shape[1:])
