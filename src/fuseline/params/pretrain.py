"""Section `pretrain`: the model's shape and the self-supervised objectives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from fuseline.config import Section
from fuseline.params.adversarial import AdversarialParams
from fuseline.params.base import Count, NonNegative, Share
from fuseline.params.training import TrainingParams

OBJECTIVE_NAMES = ("mlm", "nsp", "itm", "contrastive", "joint_contrastive", "masked_features")


class FusionParams(Section):
    """Layers and heads count for the kinds with attention, bottleneck tokens for `bottleneck`."""

    kind: Literal["attention", "bottleneck", "concat", "cross_attention", "gated"]
    num_layers: Count
    num_heads: Count
    num_bottleneck_tokens: Count
    dropout: Share


class ModelParams(Section):
    """`hidden_size` is the common width that every modality is projected to."""

    hidden_size: Count
    contrastive_size: Count
    fusion: FusionParams

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> ModelParams:
        if self.hidden_size % self.fusion.num_heads:
            raise ValueError(
                f"fusion.num_heads must divide hidden_size, got {self.fusion.num_heads} and"
                f" {self.hidden_size}"
            )
        return self


class ObjectiveParams(Section):
    """Weights of the objectives (0 leaves one out) and what each of them masks or mixes."""

    weights: dict[str, NonNegative]
    mlm_masking: Literal["token", "whole_word", "span"]
    mlm_mask_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    itm_negatives: Literal["random", "hard"]
    contrastive_queue_size: Annotated[int, Field(ge=0)]
    masked_features_share: Annotated[float, Field(gt=0.0, lt=1.0)]

    @field_validator("weights")
    @classmethod
    def _known_names(cls, weights: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(weights) - set(OBJECTIVE_NAMES))
        if unknown:
            raise ValueError(
                f"unknown objective {', '.join(unknown)}; valid: {', '.join(OBJECTIVE_NAMES)}"
            )
        if not any(weights.values()):
            raise ValueError("at least one weight must be above 0")
        return weights

    @model_validator(mode="after")
    def _hard_negatives_need_contrast(self) -> ObjectiveParams:
        trained = {name for name, weight in self.weights.items() if weight > 0}
        if self.itm_negatives == "hard" and "itm" in trained and "contrastive" not in trained:
            raise ValueError(
                "itm_negatives 'hard' are drawn by contrastive similarities, which only"
                " weights.contrastive above 0 trains; raise it or choose 'random'"
            )
        return self


class PretrainAdversarialParams(AdversarialParams):
    """`none` leaves pre-training as it is; the others wrap whichever objective a batch draws."""

    method: Literal["none", "fgm", "pgd", "freelb"]


class PretrainParams(Section):
    model: ModelParams
    objectives: ObjectiveParams
    adversarial: PretrainAdversarialParams
    training: TrainingParams

    @model_validator(mode="after")
    def _no_queue_under_attack(self) -> PretrainParams:
        if self.adversarial.method != "none" and self.objectives.contrastive_queue_size:
            raise ValueError(
                "objectives.contrastive_queue_size must be 0 with an adversarial method: each of"
                " its passes would put the batch's rows into the queue again"
            )
        return self
