"""Finding the picture of a text and the text of a picture; so for any two modalities."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import Batch, MultimodalData
from fuseline.errors import ContractError
from fuseline.learning.objectives.base import presence
from fuseline.learning.objectives.info_nce import contrast
from fuseline.learning.objectives.matching import mismatched
from fuseline.learning.tasks.base import Cells, Facts, Task

CUTS = (1, 5, 10)
# Queries that are compared with all candidates at once.
BLOCK_ROWS = 1024


class Retrieval(Task):
    """The symmetric contrastive loss (CLIP: Radford et al. 2021, arXiv 2103.00020) within a batch,
    over every pair of modalities. It needs no labels: rows are their own answers, and rows of one
    group, text or medium are no negatives.

    Logits and outputs are (B, M, S), vectors of each modality by itself. A loss depends on the
    whole batch, as no other task's does.
    """

    kind = "retrieval"
    target_kinds = ()
    selection_metric = "recall_at_1"
    rows_stand_alone = False

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`modalities`, in the model's order."""
        data = cells.data
        names = [*(["text"] if data.text_mask.any() else []), *sorted(data.features)]
        if len(names) < 2:
            raise ContractError(
                "finetune.tasks: retrieval looks for one modality by another, but there is only"
                f" {', '.join(names) or 'none'}. Add one to base.modalities."
            )
        return {"modalities": names}

    @property
    def head(self) -> Facts:
        return {"kind": "contrastive", "modalities": self.facts["modalities"]}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N,) bool: rows with two modalities or more."""
        names = self.facts["modalities"]
        return np.asarray(np.sum([cells.data.present(name) for name in names], axis=0) > 1)

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return labels

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        """Mean over the pairs of modalities that the row has."""
        del smoothing
        allowed, present = mismatched(batch), presence(batch)
        total = logits.new_zeros(len(logits))
        pairs = logits.new_zeros(len(logits))
        for first, second in combinations(range(logits.shape[1]), 2):
            whole = self._whole(present, first, second)
            if whole.any():
                pair = logits[whole]
                per_row, _ = contrast(pair[:, first] @ pair[:, second].T, allowed[whole][:, whole])
                total[whole] = total[whole] + per_row
                pairs = pairs + whole
        return total / pairs.clamp_min(1)

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Squared distance of the unit vectors, mean over the modalities that the row has."""
        present = presence(batch)
        here = torch.stack([present[name] for name in self.facts["modalities"]], 1)
        # Logits are unit vectors times the root of a temperature, which must not fall for this.
        unit, wanted = functional.normalize(logits, dim=-1), functional.normalize(target, dim=-1)
        apart = (unit - wanted).square().sum(-1) * here
        return apart.sum(1) / here.sum(1).clamp_min(1)

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """Every modality of the row is nearest to the row's own others, within the batch; a row
        without any negative there is not right."""
        allowed, present = mismatched(batch), presence(batch)
        right = batch[self.key].clone()
        asked = torch.zeros_like(right)
        for first, second in permutations(range(logits.shape[1]), 2):
            whole = self._whole(present, first, second)
            pair = logits[whole]
            negatives = allowed[whole][:, whole]
            others = (pair[:, first] @ pair[:, second].T).masked_fill(~negatives, float("-inf"))
            own = (pair[:, first] * pair[:, second]).sum(-1)
            right[whole] &= own > others.amax(1) if len(pair) else True
            asked[whole] |= negatives.any(1)
        # Modality dropout may have left a row nothing to find, and the batch nothing to confuse.
        return right & asked

    def one_answer_right(self, labels: np.ndarray) -> float:
        """0: what is to be found is another for every row."""
        del labels
        return 0.0

    def _whole(self, present: dict[str, Tensor], first: int, second: int) -> Tensor:
        names = self.facts["modalities"]
        return present[names[first]] & present[names[second]]

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """By direction (`text_to_image`) the share of queries with a match among the k nearest, and
        the median rank of the nearest match; `recall_at_1` is the mean over the directions that any
        row has.

        A match is any row of the query's group; ties count against the model.
        """
        names = self.facts["modalities"]
        figures: dict[str, float] = {}
        firsts = []
        for first, second in permutations(range(len(names)), 2):
            rows = np.flatnonzero(data.present(names[first]) & data.present(names[second]))
            ranks = _ranks(outputs[rows, first], outputs[rows, second], data.groups[rows])
            way = f"{names[first]}_to_{names[second]}"
            found = len(rows) > 0
            for cut in CUTS:
                figures[f"{way}_recall_at_{cut}"] = float((ranks <= cut).mean()) if found else 0.0
            figures[f"{way}_median_rank"] = float(np.median(ranks)) if found else 0.0
            firsts += [figures[f"{way}_recall_at_1"]] if found else []
        return {"recall_at_1": float(np.mean(firsts)) if firsts else 0.0} | figures


def _ranks(queries: np.ndarray, candidates: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(N,) rank from 1 of the best candidate of each query's group among (N, S)."""
    ranks = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        similarities = queries[block] @ candidates.T
        match = groups[block, None] == groups[None]
        best = np.where(match, similarities, -np.inf).max(1, keepdims=True)
        ranks[block] = 1 + ((similarities >= best) & ~match).sum(1)
    return ranks
