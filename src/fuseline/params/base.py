"""Section `base`: what several stages share."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from fuseline.config import Section

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
Modality = Literal["text", "image", "audio", "video", "tabular"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
# Those that come as files of their own.
MEDIA: tuple[str, ...] = ("image", "audio", "video")


class BaseParams(Section):
    """Values that more than one stage reads."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    modalities: Annotated[list[Modality], Field(min_length=1)]
    num_threads: Count
    precision: Literal["auto", "bf16", "fp32"]

    @field_validator("modalities")
    @classmethod
    def _each_once(cls, modalities: list[str]) -> list[str]:
        if len(set(modalities)) < len(modalities):
            raise ValueError("each modality may stand once")
        return modalities
