"""Section `pretrain`: the model's shape and the self-supervised objectives."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Count, NonNegative, Share
from fuseline.params.training import TrainingParams


class FusionParams(Section):
    kind: str
    num_layers: Count
    num_heads: Count
    dropout: Share


class ModelParams(Section):
    """`hidden_size` is the common width that every modality is projected to."""

    hidden_size: Count
    contrastive_size: Count
    fusion: FusionParams


class ObjectiveParams(Section):
    """Weights of the objectives (0 leaves one out) and what each of them masks or mixes."""

    weights: dict[str, NonNegative]
    mlm_mask_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    masked_features_share: Annotated[float, Field(gt=0.0, lt=1.0)]


class PretrainParams(Section):
    model: ModelParams
    objectives: ObjectiveParams
    training: TrainingParams
