"""Section `evaluate`: calibration bins and the attack that measures robustness."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from fuseline.config import Section
from fuseline.params.attack import AttackParams
from fuseline.params.base import Count, Positive


class RobustnessParams(Section):
    """The attack at scale 1 is the headline; `scales` multiply its epsilon for the curve."""

    attack: AttackParams
    num_restarts: Count
    scales: Annotated[list[Positive], Field(min_length=2)]

    @model_validator(mode="after")
    def _rising_with_headline(self) -> RobustnessParams:
        if self.scales != sorted(set(self.scales)) or 1.0 not in self.scales:
            raise ValueError("scales must rise and contain 1.0, the headline")
        return self


class EvaluateParams(Section):
    batch_size: Count
    num_calibration_bins: Annotated[int, Field(ge=2, le=100)]
    robustness: RobustnessParams
