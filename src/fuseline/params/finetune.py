"""Section `finetune`: the task, what is trained, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Share
from fuseline.params.training import TrainingParams


class FreezingParams(Section):
    """`all` trains nothing but heads and fusion; `head` heads only; `top_k` the last k text
    layers besides; `none` everything."""

    policy: Literal["all", "head", "top_k", "none"]
    top_k: Annotated[int, Field(ge=0)]


class FinetuneParams(Section):
    task: Literal["classification"]
    freezing: FreezingParams
    modality_dropout: Share
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    classifier_dropout: Share
    training: TrainingParams
