"""Masked feature regression (UNITER's MRFR: Chen et al. 2020, arXiv 1909.11740)."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from fuseline.objectives.base import Batch, ObjectiveOutput, mean_or_zero
from fuseline.params.pretrain import ObjectiveParams


class MaskedFeatures:
    """Restore hidden positions of the picture from the others and the text.

    Deviation: the target is the layer-normalised feature and the loss is smooth L1, so that a
    few large activations do not rule. A guess counts as right where its cosine with the target
    is above that with the batch's mean target.
    """

    def __init__(self, params: ObjectiveParams) -> None:
        self.share = params.masked_features_share

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        features = batch["image_features"]
        hidden = torch.rand(features.shape[:2]) < self.share
        hidden &= batch["image_mask"].unsqueeze(1)
        output = model(**batch, masked_positions={"image": hidden})
        target = functional.layer_norm(features[hidden], features.shape[-1:])
        guess = model.feature_heads["image"](output.states["image"][hidden]).float()
        losses = functional.smooth_l1_loss(guess, target, reduction="none").mean(-1)
        mean = target.mean(0, keepdim=True)
        right = functional.cosine_similarity(guess, target) > functional.cosine_similarity(
            mean, target
        )
        return ObjectiveOutput(mean_or_zero(losses, output.pooled), right.sum().item(), len(losses))
