"""Section `adversarial_finetune`: the method, its attack, and how much it weighs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fuseline.params.adversarial import MethodParams
from fuseline.params.base import NonNegative, Share
from fuseline.params.training import FinetuneTrainingParams


class AdversarialFinetuneParams(MethodParams):
    modality_dropout: Share
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)]
    unimodal_weight: NonNegative
    training: FinetuneTrainingParams
