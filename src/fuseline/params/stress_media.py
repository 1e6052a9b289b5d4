"""Keys `stress.image` and `stress.audio`: how pictures and recordings are corrupted."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from fuseline.config import Section
from fuseline.params.base import Count

# The keys of `IMAGE_CORRUPTIONS` and `AUDIO_CORRUPTIONS` in
# `fuseline.evaluation.stress.corruptions`.
ImageCorruptionName = Literal[
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "speckle_noise",
    "defocus_blur",
    "motion_blur",
    "zoom_blur",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
]
AudioCorruptionName = Literal["white_noise", "gain", "clipping", "time_shift", "dropout"]

T = TypeVar("T")


def _each_once(names: list[T]) -> list[T]:
    if len(set(names)) < len(names):
        raise ValueError("each corruption may stand once")
    return names


def _rising(severities: list[int]) -> list[int]:
    if severities != sorted(set(severities)):
        raise ValueError("severities must rise")
    return severities


Severities = Annotated[
    list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1), AfterValidator(_rising)
]


class ImageStressParams(Section):
    """Corrupted pictures of test rows.

    Attributes:
        corruptions: those to measure.
        severities: from 1, hardly seen, to 5.
        max_rows: test rows; of more, a sample by a hash of their ids.
    """

    corruptions: Annotated[
        list[ImageCorruptionName], Field(min_length=1), AfterValidator(_each_once)
    ]
    severities: Severities
    max_rows: Count


class AudioStressParams(Section):
    """Corrupted recordings of test rows; as of `ImageStressParams`."""

    corruptions: Annotated[
        list[AudioCorruptionName], Field(min_length=1), AfterValidator(_each_once)
    ]
    severities: Severities
    max_rows: Count
