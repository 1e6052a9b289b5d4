"""Image–text contrast (CLIP: Radford et al. 2021, arXiv 2103.00020)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fuseline.objectives.base import Batch, ObjectiveOutput, mean_or_zero
from fuseline.objectives.matching import mismatched
from fuseline.params.pretrain import ObjectiveParams


class Contrastive:
    """Find the picture of each text among the batch's pictures, and the text of each picture.

    Deviation: other rows that match (same group, text or picture) are left out of the
    denominators.
    """

    def __init__(self, params: ObjectiveParams) -> None:
        del params

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        output = model(**batch)
        whole = batch["image_mask"] & batch["text_mask"]
        text = model.contrastive_vectors(output, "text")[whole]
        image = model.contrastive_vectors(output, "image")[whole]
        rows = torch.arange(len(text))
        scale = model.logit_scale.exp().clamp_max(100.0)
        match = ~mismatched(batch)[whole][:, whole]
        false_negative = match & (rows.unsqueeze(0) != rows.unsqueeze(1))
        logits = (scale * text @ image.T).masked_fill(false_negative, float("-inf"))
        losses = (_cross_entropy(logits, rows) + _cross_entropy(logits.T, rows)) / 2
        correct = (logits.argmax(-1) == rows).sum().item() if len(rows) else 0.0
        return ObjectiveOutput(mean_or_zero(losses, output.pooled), correct, len(rows))


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="none")
