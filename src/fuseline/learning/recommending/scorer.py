"""A model's scores of all items for everybody, as of one time.

Shapes: N items, W common width, S width of the towers, Q people, L events of a history, F features
of the trend.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import MultimodalData
from fuseline.data.histories import Histories
from fuseline.data.interactions import Interactions
from fuseline.data.trend import trend
from fuseline.learning.model.item_content import Encoded
from fuseline.learning.model.modeling import model_inputs
from fuseline.learning.model.output import FuselineOutput
from fuseline.learning.model.passes import length_batches
from fuseline.learning.recommending.neighbours import Neighbours
from fuseline.pipeline.precision import Precision, autocast

ENCODED_ROWS = 256
FITTED_ITEMS = 20_000


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
        self._past = interactions.between(end=as_of)
        self._histories = Histories.of(self._past)
        items = len(self._head.own.weight)
        self.trend = torch.from_numpy(trend(interactions, as_of, items))
        with torch.inference_mode():
            self.vectors: Tensor = self._head.vectors(torch.arange(items), self.trend)
            self.bias: Tensor = self._head.bias(self.trend)
        self.neighbours: Neighbours | None = None
        if (share := float(self._head.neighbour_share)) > 0:
            found = self.find_neighbours(float(self._head.neighbour_strength))
            self.neighbours = Neighbours(found.items, np.float32(share) * found.weights)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(Q, N) float32 of people by number."""
        with torch.inference_mode():
            products = (self.people(users) @ self.vectors.T).numpy()
        return np.asarray(products + self.beside(users))

    def beside(self, users: np.ndarray) -> np.ndarray:
        """(Q, N) float32: what scores are beside the towers' products."""
        bias = self.bias.numpy()
        if self.neighbours is None:
            return np.broadcast_to(bias, (len(users), len(bias)))
        said = self.neighbours.scores(self.histories(users)[0])
        return np.asarray(said + bias)

    def find_neighbours(self, strength: float) -> Neighbours:
        """The items' neighbours by what is known, with a strength of their penalty."""
        return Neighbours.of(self._past, len(self._head.own.weight), strength)

    def histories(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The last events of people, as `Histories.before` gives them."""
        return self._histories.before(users, self.as_of, self._length)

    def people(self, users: np.ndarray) -> Tensor:
        """(Q, S) vectors of people by number."""
        items, ages = self.histories(users)
        with torch.inference_mode():
            found: Tensor = self._head.people(
                torch.from_numpy(items), torch.from_numpy(ages), self.trend
            )
        return found


def encode_items(
    model: Any, items: MultimodalData, precision: Precision = "fp32", only: str | None = None
) -> Encoded:
    """All N items, as the head of recommendations reads them, float32.

    Args:
        model: in evaluation mode.
        items: N of them.
        precision: of the products.
        only: a modality; the others then count as absent.
    """
    content = model.heads[0].content
    found = Encoded(torch.zeros_like(content.fused), torch.zeros_like(content.components))
    for rows, output in _outputs(model, items, np.arange(len(items)), precision, only):
        for whole, part in zip(found, content.encode(output), strict=True):
            whole[rows] = part
    return found


def begin_with(model: Any, items: MultimodalData, precision: Precision, seed: int) -> None:
    """Give a model that is to be trained for the first time the components of its items, of which
    no more than `FITTED_ITEMS` are looked at, and keep them all.

    Args:
        model: in evaluation mode.
        items: N of them.
        precision: of the products.
        seed: of those that are drawn, where there are many.
    """
    content = model.heads[0].content
    rows = np.arange(len(items))
    if len(rows) > FITTED_ITEMS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, FITTED_ITEMS, replace=False))
    seen = [output for _, output in _outputs(model, items, rows, precision)]
    vectors, present = (
        {name: torch.cat([getattr(one, kind)[name] for one in seen]) for name in content.names}
        for kind in ("vectors", "present")
    )
    content.fit(vectors, present)
    content.keep(encode_items(model, items, precision))


def _outputs(
    model: Any,
    items: MultimodalData,
    rows: np.ndarray,
    precision: Precision,
    only: str | None = None,
) -> Iterator[tuple[np.ndarray, FuselineOutput]]:
    """Outputs of the backbone, batches of rows of like lengths at a time."""
    for batch_rows in length_batches(items, rows, ENCODED_ROWS):
        batch = items.batch(batch_rows)
        if only is not None:
            masks = [name for name in batch if name.endswith("_mask") and name != "attention_mask"]
            batch |= {n: torch.zeros_like(batch[n]) for n in masks if n != f"{only}_mask"}
        with torch.inference_mode(), autocast(precision):
            output = model.fuseline(**model_inputs(batch))
        yield np.asarray(batch_rows), output
