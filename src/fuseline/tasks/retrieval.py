"""Finding the picture of a text and the text of a picture; so for any two modalities."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from fuseline.dataset import MultimodalData
from fuseline.objectives.base import presence
from fuseline.objectives.matching import mismatched
from fuseline.objectives.ranking_loss import contrast
from fuseline.tasks.base import Batch, Cells, Facts, Task

CUTS = (1, 5, 10)


class Retrieval(Task):
    """The symmetric contrastive loss (CLIP: Radford et al. 2021, arXiv 2103.00020) within a batch,
    over every pair of modalities. It needs no labels: rows are their own answers, and rows of one
    group, text or medium are no negatives.

    Logits and outputs are (B, M, S), vectors of each modality by itself.
    """

    kind = "retrieval"
    target_kinds = ()
    selection_metric = "recall_at_1"

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`modalities`, in the model's order."""
        names = [name for name in ("text", *sorted(cells.data.features)) if cells.data.present(name).any()]
        return {"modalities": names}

    @property
    def head(self) -> Facts:
        return {"kind": "contrastive"}
