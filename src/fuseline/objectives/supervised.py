"""The supervised objective of a task, with modality dropout."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from fuseline.objectives.base import Batch, ObjectiveOutput


class SupervisedTask(Protocol):
    """What the objective needs of a task."""

    def losses(self, logits: Tensor, labels: Tensor, *, smoothing: float = 0.0) -> Tensor: ...


class Supervised:
    """Mean task loss of a batch.

    Args:
        task: gives per-example losses of logits and labels.
        modality_dropout: chance that a row with several modalities loses one of them, drawn
            evenly (Neverova et al. 2016, arXiv 1501.00102); never the only one.
        label_smoothing: share of the target spread over all classes.
    """

    def __init__(
        self, task: SupervisedTask, modality_dropout: float, label_smoothing: float
    ) -> None:
        self.task = task
        self.modality_dropout = modality_dropout
        self.label_smoothing = label_smoothing

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        batch = self.prepare(batch)
        logits = model(**batch).logits
        return self.output(logits, batch["labels"])

    def prepare(self, batch: Batch) -> Batch:
        """The batch with its modality dropout drawn, so that several passes share it."""
        return drop_modalities(batch, self.modality_dropout) if self.modality_dropout else batch

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Per-example losses (B,)."""
        return self.task.losses(logits, labels, smoothing=self.label_smoothing)

    def output(self, logits: Tensor, labels: Tensor) -> ObjectiveOutput:
        """Mean loss and the count of right predictions."""
        correct = (logits.argmax(-1) == labels).sum().item()
        return ObjectiveOutput(self.losses(logits, labels).mean(), correct, len(labels))


def drop_modalities(batch: Batch, chance: float) -> Batch:
    """Mark one of a row's present modalities as absent, with the given chance."""
    names = [name for name in batch if name.endswith("_mask") and name != "attention_mask"]
    present = torch.stack([batch[name] for name in names], dim=1)
    several = present.sum(1) > 1
    drop = (torch.rand(len(present)) < chance) & several
    lost = torch.multinomial(present.float() + (~several).float().unsqueeze(1), 1).squeeze(1)
    columns = torch.arange(len(names))
    kept = present & ~(drop.unsqueeze(1) & (columns == lost.unsqueeze(1)))
    return batch | {name: kept[:, column] for column, name in enumerate(names)}
