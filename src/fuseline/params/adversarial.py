"""What adversarial training reads, whatever it wraps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fuseline.config import Section
from fuseline.params.attack import BallParams, FinetuneBallParams
from fuseline.params.base import NonNegative, Positive, Share


class MartParams(Section):
    divergence_weight: NonNegative


class VillaParams(Section):
    divergence_weight: NonNegative


class SmartParams(Section):
    """`momentum` is the share that an average of the weights keeps of itself at every step."""

    proximal_weight: NonNegative
    momentum: Share


class AdversarialParams(Section):
    """The method, by its paper's name, the ball that its attack searches, and the share of steps
    under attack."""

    method: str
    attack: BallParams
    attacked_share: Annotated[float, Field(gt=0.0, le=1.0)]
    clean_weight: NonNegative
    adversarial_weight: Positive

    @model_validator(mode="after")
    def _steps_without_attack_are_clean(self) -> AdversarialParams:
        if self.attacked_share < 1 and self.clean_weight == 0:
            raise ValueError(
                "clean_weight must be above 0 with an attacked_share below 1: the other steps"
                " train on the clean loss"
            )
        return self


class MethodParams(AdversarialParams):
    """With the settings that single methods have of their own."""

    attack: FinetuneBallParams
    method: Literal["fgm", "pgd", "freelb", "free", "trades", "mart", "r3f", "smart", "villa"]
    mart: MartParams
    villa: VillaParams
    smart: SmartParams

    @model_validator(mode="after")
    def _divergences_leave_the_label_to_the_clean_loss(self) -> MethodParams:
        if self.method in ("trades", "r3f", "smart") and self.clean_weight == 0:
            raise ValueError(
                f"clean_weight must be above 0 with method '{self.method}': what it adds compares"
                " outputs, and only the clean loss knows the labels"
            )
        return self
