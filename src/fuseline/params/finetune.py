"""Section `finetune`: the task, what is trained, and how."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from fuseline.config import Section
from fuseline.params.base import Count, NonNegative, Positive, Share
from fuseline.params.training import FinetuneTrainingParams


class LoraParams(Section):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): `rank` and `alpha` are the paper's r
    and α, `targets` the text encoder's linear layers that get one, by the end of their names,
    `image_targets` those of the image layers, convolutions of one pixel among them."""

    rank: Count
    alpha: Positive
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    targets: Annotated[list[str], Field(min_length=1)]
    image_targets: Annotated[list[str], Field(min_length=1)]


class FreezingParams(Section):
    """What of the encoders is trained, beside heads and fusion.

    Attributes:
        policy: of the text encoder `all` freezes everything, `top_k` all but its last k layers,
            `lora` all but adapters, `none` nothing; `head` trains heads only, and no image layers
            either.
        image_policy: the same of the image layers that the model holds
            (`extract_features.image.top_layers`).
    """

    policy: Literal["all", "head", "top_k", "lora", "none"]
    top_k: Annotated[int, Field(ge=0)]
    image_policy: Literal["all", "lora", "none"]
    lora: LoraParams

    @model_validator(mode="after")
    def _adapters_are_trained(self) -> FreezingParams:
        if self.policy == "head" and self.image_policy == "lora":
            raise ValueError(
                "policy 'head' trains no adapters: image_policy may be 'all' or 'none'"
            )
        return self


TaskKind = Literal[
    "classification",
    "generation",
    "multilabel",
    "ranking",
    "recommendation",
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


# The class of texts that refuse nothing.
ANSWER = "answer"
ControlName = Literal["language", "length", "style", "refusal"]


class DecoderParams(Section):
    """Shape of the decoder that writes texts, longer ones cut; what they can be asked to be like,
    and by class of refusals how such an answer begins."""

    num_layers: Count
    num_heads: Count
    max_length_tokens: Annotated[int, Field(ge=2)]
    controls: list[ControlName]
    control_dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    refusals: dict[str, Annotated[list[str], Field(min_length=1)]]

    @model_validator(mode="after")
    def _controls_can_be_told(self) -> DecoderParams:
        if len(set(self.controls)) < len(self.controls):
            raise ValueError("controls may name each control once")
        if "refusal" in self.controls and not self.refusals:
            raise ValueError(
                "controls name refusal, but refusals hold no phrase that begins one:"
                " give some, as in {unknown: [i do not know]}"
            )
        for kind, phrases in self.refusals.items():
            for phrase in phrases:
                # It would begin every text.
                if not re.search(r"\w", phrase):
                    raise ValueError(
                        f"refusals of class '{kind}' hold the phrase '{phrase}', which has no"
                        " word: give words that such texts begin with"
                    )
        if ANSWER in self.refusals:
            raise ValueError(
                f"refusals may have no class '{ANSWER}': texts that refuse nothing are"
            )
        return self


class RecommendationParams(Section):
    """Of tasks of that kind.

    Attributes:
        width: of the vectors of items and people.
        num_heads: of the attention over a history.
        history: last events that are read of a person's.
        events_per_row: a batch's row encodes one item anew, and learns from so many events.
        horizon_days: how long a list is used; training looks back that far at most.
    """

    width: Count
    num_heads: Count
    history: Count
    events_per_row: Count
    horizon_days: Positive

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> RecommendationParams:
        if self.width % self.num_heads:
            raise ValueError(
                f"num_heads {self.num_heads} does not divide width {self.width}: use one that does"
            )
        return self


Way = Literal["none", "balanced", "balanced_sampler", "logit_adjustment"]


def _ways_or_weights(value: object) -> object:
    """Labels as they are spelt: YAML reads 1 and true as something else than text.

    Raises:
        ValueError: neither a way nor weights by label.
    """
    if isinstance(value, str) and value in get_args(Way):
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError(
            f"expected {', '.join(get_args(Way))}, or a weight by label as in {{spam: 5.0}}"
        )
    for label, weight in value.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 < weight < float("inf"):
            raise ValueError(f"expected a weight above 0 for the label '{label}', found {weight!r}")
    return {_spelt(label): float(weight) for label, weight in value.items()}


def _spelt(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)


ClassWeights = Annotated[Way | dict[str, float], BeforeValidator(_ways_or_weights)]


class FinetuneParams(Section):
    """The tasks, what is trained, and how.

    Attributes:
        class_weights: what makes a classification learn its rare labels; a mapping weighs rows by
            their label.
        linear_probe_max_rows: of the training split; with more, the model gets no probe.
    """

    tasks: Annotated[list[TaskParams], Field(min_length=1)]
    class_weights: ClassWeights
    generation: DecoderParams
    recommendation: RecommendationParams
    freezing: FreezingParams
    modality_dropout: Share
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    classifier_dropout: Share
    unimodal_weight: NonNegative
    linear_probe_max_rows: Annotated[int, Field(ge=0)]
    training: FinetuneTrainingParams

    @field_validator("tasks")
    @classmethod
    def _each_target_once(cls, tasks: list[TaskParams]) -> list[TaskParams]:
        names = [task.name for task in tasks]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"each target may have one task, {', '.join(repeated)} has several")
        return tasks

    @model_validator(mode="after")
    def _recommendation_stands_alone(self) -> FinetuneParams:
        kinds = [task.kind for task in self.tasks]
        if "recommendation" in kinds and len(kinds) > 1:
            raise ValueError(
                "recommendation learns from events, other tasks from rows: let it be the only one"
                " of tasks"
            )
        return self

    @model_validator(mode="after")
    def _weights_have_labels(self) -> FinetuneParams:
        classified = [task.name for task in self.tasks if task.kind == "classification"]
        if self.class_weights != "none" and not classified:
            raise ValueError(
                "class_weights weigh the labels of a classification, and tasks have none: use"
                " none, or add such a task"
            )
        if isinstance(self.class_weights, dict) and len(classified) > 1:
            raise ValueError(
                f"class_weights by label fit one classification, and tasks have"
                f" {', '.join(classified)}: use balanced, or one of the others"
            )
        return self
