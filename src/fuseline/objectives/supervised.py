"""The supervised objective of a task, with modality dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from fuseline.objectives.base import Batch, ObjectiveOutput, presence


class SupervisedTask(Protocol):
    """What the objective needs of a task."""

    key: str

    def has_label(self, labels: np.ndarray) -> np.ndarray: ...

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor: ...

    def right(self, logits: Tensor, batch: Batch) -> Tensor: ...


class Supervised:
    """Mean loss of a batch: of one task, or of several by their weights, over the weights' sum.

    Args:
        tasks: give losses of their own logits, the first task first.
        weights: one for each task.
        modality_dropout: chance that a row with several modalities loses some of them (after
            Neverova et al. 2016, arXiv 1501.00102); never the last one.
        label_smoothing: share of the target spread over all classes.
    """

    def __init__(
        self,
        tasks: Sequence[SupervisedTask],
        weights: Sequence[float],
        modality_dropout: float,
        label_smoothing: float,
    ) -> None:
        self.tasks = tasks
        self.shares = [weight / sum(weights) for weight in weights]
        self.modality_dropout = modality_dropout
        self.label_smoothing = label_smoothing

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        batch = self.prepare(batch)
        return self.output(model(**batch), batch)

    def prepare(self, batch: Batch) -> Batch:
        """The batch with its modality dropout drawn, so that several passes share it."""
        return drop_modalities(batch, self.modality_dropout) if self.modality_dropout else batch

    def losses(self, output: Any, batch: Batch) -> Tensor:
        """Per-example losses (B,) of a model's output; a row adds nothing to a task for which it
        has no label."""
        by_task = zip(self.tasks, self.shares, output.by_task, strict=True)
        losses = [
            share * task.losses(logits, batch, smoothing=self.label_smoothing)
            for task, share, logits in by_task
        ]
        return torch.stack(losses).sum(0)

    def output(self, output: Any, batch: Batch) -> ObjectiveOutput:
        """Mean loss, and of the first task the rows that it gets right among its own."""
        first = self.tasks[0]
        right = first.right(output.logits, batch).sum().item()
        asked = first.has_label(batch[first.key].numpy()).sum()
        return ObjectiveOutput(self.losses(output, batch).mean(), right, float(asked))


def drop_modalities(batch: Batch, chance: float) -> Batch:
    """Mark some of a row's present modalities as absent, with the given chance.

    Of n present ones it loses 1 to n - 1, each number as likely as another, and each modality
    as likely as another: every pattern of presence is trained.
    """
    names = list(presence(batch))
    if len(names) < 2:
        return batch
    present = torch.stack(list(presence(batch).values()), dim=1)
    count = present.sum(1)
    dropped = (torch.rand(len(present)) < chance) & (count > 1)
    lost = _numbers_lost(count)
    # In this order modalities leave; the tiny weight only lets absent ones come last.
    order = torch.multinomial(present.float() + 1e-6, len(names) - 1)
    kept = present.clone()
    for place in range(len(names) - 1):
        leaves = torch.nonzero(dropped & (place < lost)).squeeze(1)
        kept[leaves, order[leaves, place]] = False
    return batch | {f"{name}_mask": kept[:, column] for column, name in enumerate(names)}


def _numbers_lost(count: Tensor) -> Tensor:
    """(B,) drawn evenly from 1 to `count` - 1; with two there is nothing to draw."""
    if int(count.max()) <= 2:
        return torch.ones_like(count)
    return 1 + (torch.rand(len(count)) * (count - 1)).long()
