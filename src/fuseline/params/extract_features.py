"""Section `extract_features`: one entry per modality that a frozen encoder reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Count


class ImageFeatureParams(Section):
    """The image encoder; `grid` squared positions are kept per picture. Its `top_layers` last
    layers are the model's own, to be trained with it; what lies below them is frozen."""

    encoder: str
    image_size: Annotated[int, Field(ge=8, le=1024)]
    grid: Annotated[int, Field(ge=1, le=32)]
    top_layers: Annotated[int, Field(ge=0)]
    batch_size: Count


class AudioFeatureParams(Section):
    """`log_mel` frames averaged to a fixed number of positions, or a frozen Transformers audio
    encoder in a folder or on the hub (`id@revision`)."""

    encoder: str
    sampling_rate: Annotated[int, Field(ge=4000, le=48000)]
    num_mels: Annotated[int, Field(ge=8, le=128)]
    positions: Annotated[int, Field(ge=1, le=512)]


class VideoFeatureParams(Section):
    """Frames at even times through a frozen image encoder, one position each."""

    encoder: str
    image_size: Annotated[int, Field(ge=8, le=1024)]
    num_frames: Annotated[int, Field(ge=1, le=256)]
    batch_size: Count


class TabularFeatureParams(Section):
    """How columns become numbers; `kinds` says what the values alone do not.

    Attributes:
        kinds: by column; a column that is not named is guessed from training rows.
        num_bins: quantile bins of a numeric column.
        max_categories: commonest values of a categorical column; others count as unknown.
    """

    kinds: dict[str, Literal["numeric", "categorical", "date"]]
    num_bins: Annotated[int, Field(ge=2, le=64)]
    max_categories: Annotated[int, Field(ge=1, le=1024)]


class ExtractFeaturesParams(Section):
    image: ImageFeatureParams
    audio: AudioFeatureParams
    video: VideoFeatureParams
    tabular: TabularFeatureParams
