"""Which items a person takes next: the rows are items, events of people with them the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import Batch, MultimodalData
from fuseline.learning.tasks.base import Cells, Facts, Task

if TYPE_CHECKING:
    from fuseline.params.finetune import FinetuneParams

# As classification has it, of what cannot be told apart at all.
LEAST_LOGIT = -1e4


class Recommendation(Task):
    """Softmax over sampled items (Covington et al. 2016, RecSys): a row's own item among those of
    the other rows of its batch and drawn ones. What is sampled counts by the inverse of how often
    it is expected in either sample (the balance heuristic: Veach & Guibas 1995; for in-batch
    samples alone Yi et al. 2019, RecSys): without that popular items would drown the rest.

    Rows are events (`learning/recommending/events.py`). Logits are (B, B + M); of rows that are
    items, without anybody to recommend them to, the vectors (B, S) of their content. Outputs are
    (B,), the logarithm of the chance of a row's own item. A loss depends on the whole batch.
    """

    kind = "recommendation"
    target_kinds = ()
    selection_metric = "ndcg_at_10"
    rows_stand_alone = False

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`num_items`: each has a vector of its own."""
        return {"num_items": len(cells.data)}

    @classmethod
    def settings(cls, params: FinetuneParams, cells: Cells) -> Facts:
        del cells
        return params.recommendation.model_dump()

    @property
    def head(self) -> Facts:
        taken = ("num_items", "width", "num_heads")
        return {"kind": "recommendation"} | {name: self.facts[name] for name in taken}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N,) bool: every item may be an answer."""
        return np.ones(len(cells.data), dtype=bool)

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return labels

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        del batch, smoothing
        return functional.cross_entropy(logits, torch.arange(len(logits)), reduction="none")

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Kullback–Leibler, of the chances of the candidates."""
        del batch
        told, wanted = logits.clamp_min(LEAST_LOGIT), target.clamp_min(LEAST_LOGIT)
        chances = functional.log_softmax(told, 1), functional.log_softmax(wanted, 1)
        apart = functional.kl_div(*chances, reduction="none", log_target=True)
        return apart.sum(1).clamp_min(0.0)

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """The row's own item comes first."""
        del batch
        return logits.argmax(1) == torch.arange(len(logits))

    def one_answer_right(self, labels: np.ndarray) -> float:
        """0: what is to be found is another for every row."""
        del labels
        return 0.0

    def outputs(self, logits: Tensor, batch: Batch) -> Tensor:
        return -self.losses(logits, batch)

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """The mean chance, as a logarithm; lists of all items are for `recommending/scorer.py`."""
        del data
        return {"log_chance": float(outputs.mean()) if len(outputs) else 0.0}
