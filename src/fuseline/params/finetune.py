"""Section `finetune`: the task, what is trained, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from fuseline.config import Section
from fuseline.params.base import Count, Positive, Share
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


TaskKind = Literal[
    "classification",
    "generation",
    "multilabel",
    "ranking",
    "regression",
    "retrieval",
    "token_classification",
]


class TaskParams(Section):
    """What to learn: `target` is `label`, a target column, or null for a task that needs none."""

    kind: TaskKind
    target: str | None
    weight: Positive

    @property
    def name(self) -> str:
        """Of the task, its labels and its head."""
        return self.target or self.kind


class DecoderParams(Section):
    """Shape of the decoder that writes texts; longer texts are cut."""

    num_layers: Count
    num_heads: Count
    max_length_tokens: Annotated[int, Field(ge=2)]


class FinetuneParams(Section):
    tasks: Annotated[list[TaskParams], Field(min_length=1)]
    generation: DecoderParams
    freezing: FreezingParams
    modality_dropout: Share
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    classifier_dropout: Share
    training: TrainingParams

    @field_validator("tasks")
    @classmethod
    def _each_target_once(cls, tasks: list[TaskParams]) -> list[TaskParams]:
        names = [task.name for task in tasks]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"each target may have one task, {', '.join(repeated)} has several")
        return tasks
