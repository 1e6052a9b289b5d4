"""Contrast between what fusion makes of whole rows and of each modality alone (GMC: Poklukar et al.
2022, arXiv 2202.03390)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from fuseline.objectives.base import Batch, ObjectiveOutput, mean_of_means, presence
from fuseline.objectives.info_nce import contrast
from fuseline.objectives.matching import contrastive_scale, mismatched
from fuseline.params.pretrain import ObjectiveParams


class JointContrastive:
    """Find a row among the batch's by what fusion makes of a part of it: by each modality alone
    among the whole rows, and by one modality among the others. `contrastive` ends before fusion;
    this trains fusion itself to say of a picture what it says of its text, so that a head over the
    fused vector has less to learn from few rows.

    A row with one modality has nothing to be compared with. Other rows that match (same group,
    text or medium) are left out of the denominators.

    Deviations: the modality's representations go through the fusion of the whole, with the others
    absent, where the paper has encoders of their own; two modalities are compared with each other
    too; the temperature is learnt, and shared with `contrastive`.
    """

    def __init__(self, params: ObjectiveParams, continues_word: Tensor | None) -> None:
        del params, continues_word

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return len(modalities) > 1

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        output = model(**batch, each_alone=True)
        # A batch may hold texts that the model does not take.
        present = {name: mask for name, mask in presence(batch).items() if name in output.alone}
        several = torch.stack(list(present.values())).sum(0) > 1
        views = {"": (output.pooled, several)} | {
            name: (output.alone[name], mask & several) for name, mask in present.items()
        }
        vectors = {name: model.joint_vectors(pooled) for name, (pooled, _) in views.items()}
        scale, allowed = contrastive_scale(model), mismatched(batch)
        losses, correct, count = [], 0.0, 0
        for first, second in combinations(views, 2):
            rows = views[first][1] & views[second][1]
            if not rows.any():
                continue
            similarities = scale * vectors[first][rows] @ vectors[second][rows].T
            per_row, right = contrast(similarities, allowed[rows][:, rows])
            losses.append(per_row.mean())
            correct, count = correct + right, count + len(per_row)
        return ObjectiveOutput(mean_of_means(losses, output.pooled), correct, count)
