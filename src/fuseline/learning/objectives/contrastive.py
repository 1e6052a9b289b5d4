"""Contrast between modalities (CLIP: Radford et al. 2021, arXiv 2103.00020)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.learning.objectives.base import ObjectiveOutput, mean_of_means, presence
from fuseline.learning.objectives.info_nce import contrast
from fuseline.learning.objectives.matching import (
    Identities,
    contrastive_scale,
    lasting_identities,
    mismatched,
)
from fuseline.learning.objectives.negative_queue import NegativeQueue
from fuseline.params.pretrain import ObjectiveParams


class Contrastive:
    """Find the picture of each text among the batch's pictures, and the text of each picture; so
    for every pair of modalities, over the rows that have both, and averaged over the pairs that
    any row has.

    Deviation: other rows that match (same group, text or medium) are left out of the
    denominators.

    With a queue (XBM: Wang et al. 2020, arXiv 1912.06798; MoCo: He et al. 2020, arXiv 1911.05722)
    the rows of earlier training batches that have both modalities are negatives too, unless they
    match, with the vectors that they had then and without gradients. A model in evaluation mode
    neither sees nor fills it, so that development losses of all queue sizes compare.
    Deviations: MoCo keeps its vectors alike by a momentum encoder, which we have not; as in XBM
    the current model makes them, and how far they drift was not measured. XBM also takes
    positives from the memory, and fills it only after some warm-up; ours gives negatives alone,
    from the second batch on.
    """

    def __init__(self, params: ObjectiveParams, continues_word: Tensor | None) -> None:
        del continues_word
        self.queue = NegativeQueue(params.contrastive_queue_size)

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
        rows = lasting_identities(batch) if self.queue.size and model.training else None
        allowed = rows.mismatched(rows) if rows else mismatched(batch)
        losses, correct, count = [], 0.0, 0
        for first, second in combinations(vectors, 2):
            whole = present[first] & present[second]
            if not whole.any():
                continue
            pair = {name: vectors[name][whole] for name in (first, second)}
            similarities = scale * pair[first] @ pair[second].T
            earlier = self._earlier(pair, rows.take(whole), scale) if rows else None
            per_row, right = contrast(similarities, allowed[whole][:, whole], earlier)
            losses.append(per_row.mean())
            correct, count = correct + right, count + len(per_row)
        if rows:
            self.queue.push(vectors, rows)
        return ObjectiveOutput(mean_of_means(losses, output.pooled), correct, count)

    def state_dict(self) -> dict[str, Tensor]:
        return self.queue.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.queue.load_state_dict(state)

    def _earlier(
        self, pair: dict[str, Tensor], rows: Identities, scale: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Logits (N, K) of the first modality to the K earlier rows' second, and of the second to
        their first, -inf where an earlier row is no negative; None before any row came.

        `pair` (N, S) by modality, `rows` their N identities.
        """
        if not len(self.queue):
            return None
        first, second = pair
        kept = self.queue.identities
        allowed = rows.mismatched(kept) & kept.present[first] & kept.present[second]

        def logits(anchors: str, others: str) -> Tensor:
            similarities = scale * pair[anchors] @ self.queue.vectors(others).T
            return similarities.masked_fill(~allowed, float("-inf"))

        return logits(first, second), logits(second, first)
