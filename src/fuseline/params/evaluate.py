"""Section `evaluate`: calibration bins, how texts are written, the attacks that measure
robustness, the audit of them, and how far figures and confidences are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fuseline.config import Section
from fuseline.params.attack import AttackParams, PixelAttackParams
from fuseline.params.base import Count, Positive, Share

# The scale whose figures are a model's robust accuracy.
HEADLINE = 1.0


class AuditParams(Section):
    """Checks that the attack is not weak for a reason of its own; shares are of the rows that it
    attacks anew."""

    gate: Literal["report", "fail"]
    max_rows: Count
    black_box_queries: Count
    tolerance: Share
    max_robust_accuracy: Share
    max_zero_gradients: Share


class PixelRobustnessParams(Section):
    """An attack on the pictures of a sample of rows; none where `max_rows` is 0."""

    max_rows: Annotated[int, Field(ge=0)]
    batch_size: Count
    attack: PixelAttackParams


class RobustnessParams(Section):
    """The attack at scale 1 is the headline; `scales` multiply its epsilon for the curve.

    Attributes:
        num_restarts: at the headline.
        curve_restarts: at each other scale, whose figures only show how the curve runs.
    """

    attack: AttackParams
    num_restarts: Count
    curve_restarts: Count
    scales: Annotated[list[Positive], Field(min_length=2)]
    audit: AuditParams
    image_pixel: PixelRobustnessParams

    @model_validator(mode="after")
    def _rising_with_headline(self) -> RobustnessParams:
        if self.scales != sorted(set(self.scales)) or HEADLINE not in self.scales:
            raise ValueError("scales must rise and contain 1.0, the headline")
        if self.scales[-1] == HEADLINE:
            raise ValueError("scales must go beyond 1.0, where the audit expects all rows to fall")
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
