"""Contrast between what fusion makes of whole rows and of each modality alone (GMC: Poklukar et al.
2022, arXiv 2202.03390)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.learning.objectives.base import ObjectiveOutput, mean_of_means, presence
from fuseline.learning.objectives.info_nce import contrast
from fuseline.learning.objectives.matching import contrastive_scale, mismatched
from fuseline.params.pretrain import ObjectiveParams


class JointContrastive:
    """Find a row among the batch's by what fusion makes of a part of it: by each modality alone
    among the whole rows, and by one modality among the others. `contrastive` ends before fusion;
    this trains fusion itself to say of a picture what it says of its text, so that a head over the
    fused vector has less to learn from few rows.

    A batch is encoded once and fused once more for each modality, with the others absent.

    Deviations: the modalities alone go through the fusion of the whole, where the paper has
    encoders of their own; two of them are compared with each other too, not each with the whole
    alone; a row's negatives are the other rows in the view that it is sought in, not in both; rows
    that match (same group, text or medium) are left out of the denominators; a row with one
    modality takes no part; the temperature is learnt, and shared with `contrastive`.
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
        whole = (model.joint_vectors(output.pooled), several)
        parts = [(model.joint_vectors(output.alone[name]), here) for name, here in present.items()]
        scale, allowed = contrastive_scale(model), mismatched(batch)
        losses, correct, count = [], 0.0, 0
        for (one, in_one), (other, in_other) in combinations([whole, *parts], 2):
            rows = in_one & in_other
            if not rows.any():
                continue
            similarities = scale * one[rows] @ other[rows].T
            per_row, right = contrast(similarities, allowed[rows][:, rows])
            losses.append(per_row.mean())
            correct, count = correct + right, count + len(per_row)
        return ObjectiveOutput(mean_of_means(losses, output.pooled), correct, count)
