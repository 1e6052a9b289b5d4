"""A model's scores of all items for everybody, as of one time.

Shapes: N items, W common width, S width of the towers, Q people, L events of a history, F features
of the trend.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import MultimodalData
from fuseline.data.histories import Histories
from fuseline.data.interactions import Interactions
from fuseline.data.trend import trend
from fuseline.learning.model.modeling import model_inputs
from fuseline.learning.model.passes import length_batches
from fuseline.pipeline.precision import Precision, autocast

ENCODED_ROWS = 256


class Scorer:
    """Scores as of a time: nothing from then on plays a part.

    Args:
        model: whose first task is recommendation, its items encoded (`encode_items`).
        interactions: all events.
        as_of: the time, in seconds since 1970.
    """

    def __init__(self, model: Any, interactions: Interactions, as_of: int) -> None:
        self.as_of = as_of
        self._head = model.heads[0]
        self._length = model.config.tasks[0]["facts"]["history"]
        self._histories = Histories.of(interactions.between(end=as_of))
        items = len(self._head.fused)
        self.trend = torch.from_numpy(trend(interactions, as_of, items))
        with torch.inference_mode():
            self.vectors: Tensor = self._head.vectors(torch.arange(items), self.trend)
            self.bias: Tensor = self._head.bias(self.trend)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(Q, N) float32 of people by number."""
        with torch.inference_mode():
            found = self.people(users) @ self.vectors.T + self.bias
        return found.numpy()

    def people(self, users: np.ndarray) -> Tensor:
        """(Q, S) vectors of people by number."""
        items, ages = self._histories.before(users, self.as_of, self._length)
        with torch.inference_mode():
            found: Tensor = self._head.people(
                torch.from_numpy(items), torch.from_numpy(ages), self.trend
            )
        return found


def encode_items(
    model: Any, items: MultimodalData, precision: Precision = "fp32", only: str | None = None
) -> Tensor:
    """Fused vectors of all items, (N, W) float32.

    Args:
        model: in evaluation mode.
        items: N of them.
        precision: of the products.
        only: a modality; the others then count as absent.
    """
    found = torch.zeros_like(model.heads[0].fused)
    for rows in length_batches(items, np.arange(len(items)), ENCODED_ROWS):
        batch = items.batch(rows)
        if only is not None:
            masks = [name for name in batch if name.endswith("_mask") and name != "attention_mask"]
            batch |= {n: torch.zeros_like(batch[n]) for n in masks if n != f"{only}_mask"}
        with torch.inference_mode(), autocast(precision):
            found[rows] = model.fuseline(**model_inputs(batch)).pooled
    return found
