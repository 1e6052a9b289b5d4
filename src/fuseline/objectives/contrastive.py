"""Contrast between modalities (CLIP: Radford et al. 2021, arXiv 2103.00020)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fuseline.objectives.base import Batch, ObjectiveOutput, mean_of_means, presence
from fuseline.objectives.matching import contrastive_scale, mismatched
from fuseline.params.pretrain import ObjectiveParams


class Contrastive:
    """Find the picture of each text among the batch's pictures, and the text of each picture; so
    for every pair of modalities, over the rows that have both, and averaged over the pairs that
    any row has.

    Deviation: other rows that match (same group, text or medium) are left out of the
    denominators.
    """

    def __init__(self, params: ObjectiveParams, continues_word: Tensor | None) -> None:
        del params, continues_word

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return len(modalities) > 1

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        output = model(**batch)
        present = presence(batch)
        vectors = {
            name: model.contrastive_vectors(output, name)
            for name in model.config.modalities
            if name in present
        }
        scale = contrastive_scale(model)
        allowed = mismatched(batch)
        losses, correct, count = [], 0.0, 0
        for first, second in combinations(vectors, 2):
            whole = present[first] & present[second]
            if not whole.any():
                continue
            similarities = scale * vectors[first][whole] @ vectors[second][whole].T
            per_row, right = _contrast(similarities, allowed[whole][:, whole])
            losses.append(per_row.mean())
            correct, count = correct + right, count + len(per_row)
        return ObjectiveOutput(mean_of_means(losses, output.pooled), correct, count)


def _contrast(similarities: Tensor, allowed: Tensor) -> tuple[Tensor, float]:
    """Losses (N,) of finding the diagonal of (N, N) both ways, and how many rows found theirs.

    `allowed` (N, N) bool says which rows are negatives.
    """
    rows = torch.arange(len(similarities))
    false_negative = ~allowed & (rows.unsqueeze(0) != rows.unsqueeze(1))
    logits = similarities.masked_fill(false_negative, float("-inf"))
    losses = (_cross_entropy(logits, rows) + _cross_entropy(logits.T, rows)) / 2
    return losses, (logits.argmax(-1) == rows).sum().item()


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="none")
