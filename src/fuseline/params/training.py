"""What the one training loop reads, whichever stage runs it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Count, NonNegative, Positive, Share


class TrainingParams(Section):
    """`layer_decay` is the rate of a text layer over that of the layer above it; 1.0 gives all of
    them `encoder_learning_rate`. The image layers that the model trains have a rate of their own:
    convolutions bear more than what was pre-trained on text."""

    num_epochs: Count
    batch_size: Count
    learning_rate: Positive
    encoder_learning_rate: Positive
    image_learning_rate: Positive
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)]
    lr_scheduler: Literal["linear", "cosine", "constant_with_warmup"]
    warmup_share: Share
    weight_decay: NonNegative
    max_grad_norm: Positive
    early_stopping_patience: Count


class FinetuneTrainingParams(TrainingParams):
    """Of stages whose epoch is picked by a score of tasks. After an epoch that lies more than
    `max_fall` below the best one in a score that is a share, training goes on from the best one's
    weights at half the rates; 1.0 never lets it."""

    max_fall: Annotated[float, Field(gt=0.0, le=1.0)]
