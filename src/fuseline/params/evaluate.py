"""Section `evaluate`: calibration bins, how texts are written, the attack that measures robustness,
and how far figures and confidences are checked."""

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


class GenerationParams(Section):
    """Beam search, or sampling from the likeliest tokens that make up `top_p` (Holtzman et al.
    2020, arXiv 1904.09751)."""

    num_beams: Count
    length_penalty: float
    sample: bool
    temperature: Positive
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]


class TrustParams(Section):
    """Intervals by bootstrap, the risk that answers may bear, and parts of the test rows."""

    num_resamples: Annotated[int, Field(ge=40)]
    target_risk: Annotated[float, Field(gt=0.0, lt=1.0)]
    slices: list[str]
    min_slice_rows: Count


class EvaluateParams(Section):
    batch_size: Count
    num_calibration_bins: Annotated[int, Field(ge=2, le=100)]
    generation: GenerationParams
    robustness: RobustnessParams
    trust: TrustParams
