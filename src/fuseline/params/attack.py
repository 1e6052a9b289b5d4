"""An attack's radius and steps, as training and evaluation give them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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


class BallParams(Section):
    """A ball around the clean input, and how it is searched.

    `epsilon` is the ball's radius by space, in the units of that space; the norm is taken of each
    token or position, or over all that may move of an example in that space. `step_size` is a
    fraction of epsilon.
    """

    norm: Literal["l2", "linf"]
    per: Literal["position", "example"]
    epsilon: Annotated[dict[Space, Positive], Field(min_length=1)]
    num_steps: Count
    step_size: Positive
    random_start: bool


class AttackParams(BallParams):
    """An attack, by its paper's name."""

    kind: Literal["fgm", "pgd"]
