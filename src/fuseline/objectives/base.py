"""What an objective takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class ObjectiveOutput:
    """A scalar loss with its graph, and named figures as detached numbers.

    Attributes:
        loss: the batch's mean loss.
        correct: number of right guesses, where the objective makes any.
        count: number of guesses; 0 where the batch held nothing to guess.
        passes: forward and backward passes spent beyond the loss's own.
    """

    loss: Tensor
    correct: float = 0.0
    count: float = 0.0
    passes: dict[str, int] = field(default_factory=dict)


class Objective(Protocol):
    """Turns a batch and the model into a loss. Random draws come from torch's default generator,
    whose state is part of every checkpoint."""

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput: ...


def mean_or_zero(losses: Tensor, anchor: Tensor) -> Tensor:
    """Mean of losses; for none a zero that still has a graph to `anchor`, so that backward runs."""
    return losses.mean() if losses.numel() else anchor.float().sum() * 0.0
