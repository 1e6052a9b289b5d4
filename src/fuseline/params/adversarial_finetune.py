"""Section `adversarial_finetune`: the attack to train against, and how much it weighs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fuseline.config import Section
from fuseline.params.attack import AttackParams
from fuseline.params.base import NonNegative, Positive, Share
from fuseline.params.training import TrainingParams


class AdversarialFinetuneParams(Section):
    attack: AttackParams
    clean_weight: NonNegative
    adversarial_weight: Positive
    modality_dropout: Share
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    unimodal_weight: NonNegative
    training: TrainingParams
