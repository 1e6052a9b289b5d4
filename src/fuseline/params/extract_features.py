"""Section `extract_features`: one entry per modality that a frozen encoder reads."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Count


class ImageFeatureParams(Section):
    """The frozen image encoder; `grid` squared positions are kept per picture."""

    encoder: str
    image_size: Annotated[int, Field(ge=8, le=1024)]
    grid: Annotated[int, Field(ge=1, le=32)]
    batch_size: Count


class ExtractFeaturesParams(Section):
    image: ImageFeatureParams
