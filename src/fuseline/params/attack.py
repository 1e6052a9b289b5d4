"""An attack's radius and steps, as training and evaluation give them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fuseline.config import Section
from fuseline.params.base import Count, Modality, Positive

Space = Literal[
    "text_embedding", "image_feature", "audio_feature", "video_feature", "tabular_feature"
]
# Where each modality can be perturbed.
SPACE_OF: dict[Modality, Space] = {
    "text": "text_embedding",
    "image": "image_feature",
    "audio": "audio_feature",
    "video": "video_feature",
    "tabular": "tabular_feature",
}


PixelSpace = Literal["image_pixel"]
PIXEL_SPACE: PixelSpace = "image_pixel"

AttackKind = Literal["apgd", "fgm", "pgd", "random_search"]


class StepParams(Section):
    """How a ball around the clean input is searched.

    The norm is taken of each token or position, or over all that may move of an example in a
    space. `step_size` is a fraction of epsilon; `apgd` and `random_search` choose their own.
    """

    norm: Literal["l2", "linf"]
    per: Literal["position", "example"]
    num_steps: Count
    step_size: Positive
    random_start: bool


class BallParams(StepParams):
    """A ball in embeddings and features: its radius by space, in the units of that space."""

    epsilon: Annotated[dict[Space, Positive], Field(min_length=1)]


class FinetuneBallParams(BallParams):
    """A ball that may lie in pixels too, through the frozen encoder; that radius in steps of an
    8-bit pixel."""

    # Wider than the base's, which is only ever read, by names.
    epsilon: Annotated[dict[Space | PixelSpace, Positive], Field(min_length=1)]  # type: ignore[assignment]

    @model_validator(mode="after")
    def _pictures_move_once(self) -> FinetuneBallParams:
        if PIXEL_SPACE in self.epsilon and SPACE_OF["image"] in self.epsilon:
            raise ValueError(
                "epsilon: expected image_pixel or image_feature, found both; pixels move the"
                " features of the same pictures"
            )
        return self


class AttackParams(BallParams):
    """An attack, by its paper's name."""

    kind: AttackKind


class PixelAttackParams(StepParams):
    """An attack on pictures, through the frozen encoder; epsilon in steps of an 8-bit pixel, so
    that 2 is the budget that papers write as 2/255."""

    kind: AttackKind
    epsilon: Annotated[dict[PixelSpace, Positive], Field(min_length=1)]
