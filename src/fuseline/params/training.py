"""What the one training loop reads, whichever stage runs it."""

from __future__ import annotations

from typing import Literal

from fuseline.config import Section
from fuseline.params.base import Count, NonNegative, Positive, Share


class TrainingParams(Section):
    num_epochs: Count
    batch_size: Count
    learning_rate: Positive
    encoder_learning_rate: Positive
    lr_scheduler: Literal["linear", "cosine", "constant_with_warmup"]
    warmup_share: Share
    weight_decay: NonNegative
    max_grad_norm: Positive
    early_stopping_patience: Count
