"""Image–text matching (UNITER: Chen et al. 2020, arXiv 1909.11740)."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from fuseline.objectives.base import Batch, ObjectiveOutput, mean_or_zero
from fuseline.objectives.matching import draw_negative, mismatched
from fuseline.params.pretrain import ObjectiveParams


class ImageTextMatching:
    """Does the picture belong to the text? Half of the rows get the picture of another group."""

    def __init__(self, params: ObjectiveParams) -> None:
        del params

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        rows = torch.arange(len(batch["groups"]))
        allowed = mismatched(batch) & batch["image_mask"].unsqueeze(0)
        other, has_other = draw_negative(allowed)
        negative = (torch.rand(len(rows)) < 0.5) & has_other
        source = torch.where(negative, other, rows)
        output = model(**(batch | {"image_features": batch["image_features"][source]}))
        whole = batch["image_mask"] & batch["text_mask"]
        labels = negative.long()[whole]
        logits = model.itm_head(output.pooled[whole]).float()
        losses = functional.cross_entropy(logits, labels, reduction="none")
        correct = (logits.argmax(-1) == labels).sum().item()
        return ObjectiveOutput(mean_or_zero(losses, output.pooled), correct, len(labels))
