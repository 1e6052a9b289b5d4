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
TOP = 10


class Recommendation(Task):
    """Softmax over the items of a batch's events (Covington et al. 2016, RecSys), an event's own
    item against those of the others.

    Rows are events (`learning/recommending/events.py`); logits (B + E, E) as
    `learning/model/recommender.py` has them, outputs (B,) negative losses. Of rows that are items,
    without anybody to recommend them to, logits are what their content says, (B, S). A loss depends
    on the whole batch.
    """

    kind = "recommendation"
    target_kinds = ()
    selection_metric = "ndcg_at_10"
    rows_stand_alone = False
    rows_are_events = True

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
        # Where no model is built, there are no settings.
        taken = [name for name in ("num_items", "width", "num_heads") if name in self.facts]
        return {"kind": "recommendation"} | {name: self.facts[name] for name in taken}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N,) bool: every item may be an answer."""
        return np.ones(len(cells.data), dtype=bool)

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return labels

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        """Of each row with its item as encoded anew, and the mean of all events with their items
        as kept."""
        del smoothing
        rows = len(batch["row_numbers"])
        events = len(logits) - rows
        own = torch.cat([torch.arange(rows), torch.arange(events)])
        losses = functional.cross_entropy(logits, own, reduction="none")
        return losses[:rows] + losses[rows:].mean()

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Kullback–Leibler, of the chances of the rows' items as encoded anew."""
        rows = len(batch["row_numbers"])
        told, wanted = (
            functional.log_softmax(one[:rows, :rows].clamp_min(LEAST_LOGIT), 1)
            for one in (logits, target)
        )
        apart = functional.kl_div(told, wanted, reduction="none", log_target=True)
        return apart.sum(1).clamp_min(0.0)

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """The row's own item as encoded anew is among the ten first of the batch's, as kept."""
        rows = len(batch["row_numbers"])
        own = logits[:rows].diagonal().unsqueeze(1)
        others = logits[rows : 2 * rows].masked_fill(
            torch.eye(rows, logits.shape[1], dtype=torch.bool), -torch.inf
        )
        return (others >= own).sum(1) < TOP

    def one_answer_right(self, labels: np.ndarray) -> float:
        """0: what is to be found is another for every row."""
        del labels
        return 0.0

    def outputs(self, logits: Tensor, batch: Batch) -> Tensor:
        return -self.losses(logits, batch)

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """The mean chance, as a logarithm; lists of all items are for
        `learning/recommending/scorer.py`."""
        del data
        return {"log_chance": float(outputs.mean()) if len(outputs) else 0.0}
