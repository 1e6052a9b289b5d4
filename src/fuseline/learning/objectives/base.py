"""What an objective takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.params.base import MODALITIES
from fuseline.params.pretrain import ObjectiveParams


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


@runtime_checkable
class Stateful(Protocol):
    """An objective that remembers something from batch to batch. Its state is part of every
    checkpoint, so that a resumed run goes on with it."""

    def state_dict(self) -> dict[str, Tensor]:
        """What it remembers; may be empty."""
        ...

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a `state_dict`; an empty one is a start anew."""
        ...


class PretrainingObjective(Objective, Protocol):
    """A self-supervised objective; it says itself which modalities it can work with.

    Args:
        params: the section's weights and settings.
        continues_word: (V,) bool by token id, pieces that go on with a word; None where the
            tokenizer does not tell.
    """

    def __init__(self, params: ObjectiveParams, continues_word: Tensor | None) -> None: ...

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        """Whether a model of these modalities can train on it."""
        ...


def presence(batch: Batch) -> dict[str, Tensor]:
    """By modality of the batch, text first: (B,) bool, True where the row has it."""
    return {name: batch[f"{name}_mask"] for name in MODALITIES if f"{name}_mask" in batch}


def mean_or_zero(losses: Tensor, anchor: Tensor) -> Tensor:
    """Mean of losses; for none a zero that still has a graph to `anchor`, so that backward runs."""
    return losses.mean() if losses.numel() else anchor.float().sum() * 0.0


def mean_of_means(means: list[Tensor], anchor: Tensor) -> Tensor:
    """Mean of scalar losses, each already a mean; for none as `mean_or_zero`."""
    return mean_or_zero(torch.stack(means) if means else anchor.new_zeros(0), anchor)
