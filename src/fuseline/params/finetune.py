"""Section `finetune`: the task, what is trained, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Count, NonNegative, Positive, Share
from fuseline.params.training import TrainingParams


class LoraParams(Section):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): `rank` and `alpha` are the paper's r
    and α, `targets` the text encoder's linear layers that get one, by the end of their names."""

    rank: Count
    alpha: Positive
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    targets: Annotated[list[str], Field(min_length=1)]


class FreezingParams(Section):
    """`all` trains nothing but heads and fusion; `head` heads only; `top_k` the last k text
    layers besides; `lora` adapters in the text encoder besides; `none` everything."""

    policy: Literal["all", "head", "top_k", "lora", "none"]
    top_k: Annotated[int, Field(ge=0)]
    lora: LoraParams


class FinetuneParams(Section):
    task: Literal["classification"]
    freezing: FreezingParams
    modality_dropout: Share
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    classifier_dropout: Share
    unimodal_weight: NonNegative
    training: TrainingParams
