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

MAX_PIXEL = 255.0
# No 8-bit picture differs by less.
MIN_PIXEL = 1.0
# Vectors of embeddings and features are about 1 to 100 long: beyond these the unit is another.
RADII: dict[Space, tuple[float, float]] = {
    "text_embedding": (1e-4, 100.0),
    "image_feature": (1e-4, 1000.0),
    "audio_feature": (1e-4, 1000.0),
    "video_feature": (1e-4, 1000.0),
    "tabular_feature": (1e-4, 1000.0),
}

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


def strange_radius(space: str, norm: str, radius: float, image_size: int) -> str | None:
    """What is wrong with a radius that can only be meant in another unit; None for others, and for
    a space that is not known.

    Args:
        image_size: pixels a side of a picture.
    """
    if space == PIXEL_SPACE:
        return _strange_pixels(norm, radius, image_size)
    low, high = RADII.get(space, (0.0, float("inf")))  # type: ignore[call-overload]
    if low <= radius <= high:
        return None
    return (
        f"expected {low:g} to {high:g}, a length in that space; found {radius:g}. Its vectors are"
        " about 1 to 100 long: choose a tenth of their length or less."
    )


def _strange_pixels(norm: str, radius: float, image_size: int) -> str | None:
    high = MAX_PIXEL if norm == "linf" else MAX_PIXEL * image_size * 3**0.5
    if MIN_PIXEL <= radius <= high:
        return None
    unit = f"{MIN_PIXEL:g} to {high:.0f} with norm {norm}, in steps of an 8-bit pixel"
    if radius < MIN_PIXEL:
        meant = f"Of a range from 0 to 1 it is {MAX_PIXEL * radius:.3g} steps: write that."
    else:
        meant = "No picture can move so far."
    return f"expected {unit} (the 8 of 8/255); found {radius:g}. {meant}"


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
