"""Masked feature regression (UNITER's MRFR: Chen et al. 2020, arXiv 1909.11740)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import Batch
from fuseline.learning.objectives.base import ObjectiveOutput, mean_of_means, presence
from fuseline.params.pretrain import ObjectiveParams


class MaskedFeatures:
    """Restore hidden positions of pictures, sounds and other media from what is left.

    Every modality but the text loses some positions at once; the loss is the mean over
    modalities. A modality of a single position is hidden whole, and a row's last visible one
    is not.

    Deviation: the target is the layer-normalised feature and the loss is smooth L1, so that a
    few large activations do not rule. A guess counts as right where its cosine with the target
    is above that with the batch's mean target.
    """

    def __init__(self, params: ObjectiveParams, continues_word: Tensor | None) -> None:
        del continues_word
        self.share = params.masked_features_share

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return any(name != "text" for name in modalities)

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        cells = {
            name: model.fuseline.cells(name, batch[f"{name}_features"])
            for name in presence(batch)
            if name != "text"
        }
        hidden = self._choose(batch, cells)
        output = model(**batch, masked_positions=hidden)
        losses, correct, count = [], 0.0, 0
        for name, chosen in hidden.items():
            if not chosen.any():
                continue
            target = functional.layer_norm(cells[name][chosen], cells[name].shape[-1:])
            guess = model.feature_heads[name](output.states[name][chosen]).float()
            losses.append(functional.smooth_l1_loss(guess, target))
            correct += _closer_than_the_mean(guess, target)
            count += len(target)
        return ObjectiveOutput(mean_of_means(losses, output.pooled), correct, count)

    def _choose(self, batch: Batch, cells: dict[str, Tensor]) -> dict[str, Tensor]:
        """(B, Q) bool by modality: present positions to hide."""
        present = presence(batch)
        here = {
            name: present[name].unsqueeze(1) & ~values[..., 0].isnan()
            for name, values in cells.items()
        }
        hidden = {
            name: (torch.rand(there.shape) < self.share) & there for name, there in here.items()
        }
        for name in hidden:
            hidden[name] &= _shows_something(present, here, hidden).unsqueeze(1)
        return hidden


def _shows_something(
    present: dict[str, Tensor], here: dict[str, Tensor], hidden: dict[str, Tensor]
) -> Tensor:
    """(B,) bool: rows of which any modality has a visible position left."""
    visible = [
        (here[name] & ~hidden[name]).any(1) if name in hidden else mask
        for name, mask in present.items()
    ]
    return torch.stack(visible).any(0)


def _closer_than_the_mean(guess: Tensor, target: Tensor) -> float:
    mean = target.mean(0, keepdim=True)
    right = functional.cosine_similarity(guess, target) > functional.cosine_similarity(mean, target)
    return right.sum().item()
