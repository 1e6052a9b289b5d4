"""What tasks with a label for each token share.

Shapes: B rows, T tokens, C classes.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import NO_LABEL
from fuseline.learning.tasks.divergences import categorical


def token_losses(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """(B,) mean cross-entropy over the tokens of a row that have a label, 0 where none has.

    Args:
        logits: (B, T, C).
        labels: (B, T) int64.
        smoothing: share of the target spread over all classes.
    """
    losses = functional.cross_entropy(
        logits.transpose(1, 2),
        labels,
        reduction="none",
        label_smoothing=smoothing,
        ignore_index=NO_LABEL,
    )
    return _mean(losses, labels)


def token_divergences(logits: Tensor, target: Tensor, labels: Tensor) -> Tensor:
    """(B,) mean divergence over the tokens of a row that have a label, 0 where none has."""
    return _mean(categorical(logits, target), labels)


def all_right(logits: Tensor, labels: Tensor) -> Tensor:
    """(B,) bool: a row has labels, and every one is met."""
    asked = labels != NO_LABEL
    return ((logits.argmax(-1) == labels) | ~asked).all(1) & asked.any(1)


def _mean(values: Tensor, labels: Tensor) -> Tensor:
    asked = labels != NO_LABEL
    return (values * asked).sum(1) / asked.sum(1).clamp_min(1)
