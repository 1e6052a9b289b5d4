"""The supervised objective of a task, with modality dropout."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from fuseline.objectives.base import Batch, ObjectiveOutput, mean_of_means, presence


class SupervisedTask(Protocol):
    """What the objective needs of a task."""

    def losses(self, logits: Tensor, labels: Tensor, *, smoothing: float = 0.0) -> Tensor: ...


class Supervised:
    """Mean task loss of a batch.

    Args:
        task: gives per-example losses of logits and labels.
        modality_dropout: chance that a row with several modalities loses some of them (after
            Neverova et al. 2016, arXiv 1501.00102); never the last one.
        label_smoothing: share of the target spread over all classes.
        unimodal_weight: of the experts' loss, the mean over modalities of each one's over the rows
            that have it, beside the fused one's 1 (Wang et al. 2020, arXiv 1905.12681; the paper
            estimates a weight for each).
    """

    def __init__(
        self,
        task: SupervisedTask,
        modality_dropout: float,
        label_smoothing: float,
        unimodal_weight: float,
    ) -> None:
        self.task = task
        self.modality_dropout = modality_dropout
        self.label_smoothing = label_smoothing
        self.unimodal_weight = unimodal_weight

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        batch = self.prepare(batch)
        return self.output(model(**batch), batch)

    def prepare(self, batch: Batch) -> Batch:
        """The batch with its modality dropout drawn, so that several passes share it."""
        return drop_modalities(batch, self.modality_dropout) if self.modality_dropout else batch

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Per-example losses (B,)."""
        return self.task.losses(logits, labels, smoothing=self.label_smoothing)

    def output(self, given: Any, batch: Batch) -> ObjectiveOutput:
        """Mean loss, of each modality alone too, and the count of right predictions.

        Args:
            given: what the model gave: `logits` (B, C) and `unimodal_logits`, by modality.
            batch: what it was given.
        """
        labels = batch["labels"]
        loss = self.losses(given.logits, labels).mean()
        if self.unimodal_weight and given.unimodal_logits:
            loss = loss + self.unimodal_weight * self._unimodal_loss(given.unimodal_logits, batch)
        return ObjectiveOutput(loss, (given.logits.argmax(-1) == labels).sum().item(), len(labels))

    def _unimodal_loss(self, logits: dict[str, Tensor], batch: Batch) -> Tensor:
        """Mean over modalities of each one's mean loss over the rows that have it."""
        means = [
            self.losses(logits[name][mask], batch["labels"][mask]).mean()
            for name, mask in presence(batch).items()
            if name in logits and mask.any()
        ]
        return mean_of_means(means, next(iter(logits.values())))


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
