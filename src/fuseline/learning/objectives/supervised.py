"""The supervised objective of a task, with modality dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.learning.objectives.base import ObjectiveOutput, presence


class SupervisedTask(Protocol):
    """What the objective needs of a task."""

    key: str

    def has_label(self, labels: np.ndarray) -> np.ndarray: ...

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor: ...

    def training_losses(
        self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0
    ) -> Tensor: ...

    def row_weights(self, batch: Batch) -> Tensor | None: ...

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor: ...

    def right(self, logits: Tensor, batch: Batch) -> Tensor: ...


class Supervised:
    """Mean loss of a batch: of one task, or of several by their weights, over the weights' sum.

    Args:
        tasks: give losses of their own logits, the first task first.
        weights: one for each task.
        modality_dropout: chance that a row with several modalities loses some of them (after
            Neverova et al. 2016, arXiv 1501.00102); never the last one.
        label_smoothing: share of the target spread over all classes.
        unimodal_weight: of the experts' loss, for each task whose head has them the mean over
            modalities of each one's over the rows that have it, beside the task's own at 1 (Wang et
            al. 2020, arXiv 1905.12681; the paper estimates a weight for each).
    """

    def __init__(
        self,
        tasks: Sequence[SupervisedTask],
        weights: Sequence[float],
        modality_dropout: float,
        label_smoothing: float,
        unimodal_weight: float,
    ) -> None:
        self.tasks = tasks
        self.shares = [weight / sum(weights) for weight in weights]
        self.modality_dropout = modality_dropout
        self.label_smoothing = label_smoothing
        self.unimodal_weight = unimodal_weight

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        batch = self.prepare(batch)
        return self.output(model(**batch), batch)

    def prepare(self, batch: Batch) -> Batch:
        """The batch with its modality dropout drawn, so that several passes share it."""
        return drop_modalities(batch, self.modality_dropout) if self.modality_dropout else batch

    def losses(self, output: Any, batch: Batch) -> Tensor:
        """Per-example losses (B,) of a model's output; a row adds nothing to a task for which it
        has no label."""
        return self._weighed(
            [
                task.training_losses(logits, batch, smoothing=self.label_smoothing)
                for task, logits in zip(self.tasks, output.by_task, strict=True)
            ]
        )

    def certainties(self, output: Any, batch: Batch) -> Tensor:
        """(B,) the exponential of each row's negative loss: of classes the probability of its
        label, of several items or tasks the geometric mean of theirs, of other tasks what falls
        from 1 as they go wrong; 1 for a row without a label."""
        losses = [
            task.losses(logits, batch)
            for task, logits in zip(self.tasks, output.by_task, strict=True)
        ]
        return torch.exp(-self._weighed(losses))

    def _weighed(self, by_task: list[Tensor]) -> Tensor:
        """(B,) of one number per row and task, by the tasks' weights."""
        parts = [share * one for share, one in zip(self.shares, by_task, strict=True)]
        return torch.stack(parts).sum(0)

    def divergence(self, output: Any, target: Any, batch: Batch) -> Tensor:
        """(B,) how far a model's output lies from another of the same rows, by task; labels play no
        part but to tell which tokens are asked for, and how much a row counts."""
        apart = []
        for task, logits, wanted in zip(self.tasks, output.by_task, target.by_task, strict=True):
            one, weights = task.divergence(logits, wanted, batch), task.row_weights(batch)
            apart.append(one if weights is None else one * weights)
        return self._weighed(apart)

    def output(self, output: Any, batch: Batch) -> ObjectiveOutput:
        """Mean loss, with what each modality says alone, and of the first task the rows that it
        gets right among its own."""
        first = self.tasks[0]
        right = first.right(output.logits, batch).sum().item()
        asked = first.has_label(batch[first.key].numpy()).sum()
        loss = self.losses(output, batch).mean()
        if self.unimodal_weight:
            loss = loss + self.unimodal_weight * self._unimodal_loss(output, batch)
        return ObjectiveOutput(loss, right, float(asked))

    def _unimodal_loss(self, output: Any, batch: Batch) -> Tensor:
        """Of the tasks by their shares; 0 from a head without experts, and from a batch without any
        modality. As in `losses`, a row without a task's label counts with a loss of 0."""
        present = {name: mask for name, mask in presence(batch).items() if mask.any()}
        total: Tensor = output.logits.new_zeros(())
        for task, share, alone in zip(self.tasks, self.shares, output.by_modality, strict=True):
            means = [
                task.training_losses(alone[name], batch, smoothing=self.label_smoothing)[
                    mask
                ].mean()
                for name, mask in present.items()
                if name in alone
            ]
            if means:
                total = total + share * torch.stack(means).mean()
        return total


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
