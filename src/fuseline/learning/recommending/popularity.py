"""Fitting what the trend says to what was taken next.

Shapes: T times, N items, F features of the trend, R rows.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from fuseline.learning.model.recommender import RecommendationHead
from fuseline.learning.model.trend import trend_score
from fuseline.learning.recommending.events import Events

NUM_STEPS = 100
# Of squares, against losses of one event.
DECAY = 1e-5
START = 0.2


def fit_trend(head: RecommendationHead, events: Events, seed: int) -> None:
    """Let the trend's score explain what people take, whoever they are: the softmax over all items
    of training events, each given the trend some days before it.

    Args:
        head: its trend is replaced.
        events: training rows.
        seed: of the hidden units' start.
    """
    times = np.unique(events.at)
    trend = torch.stack([events.trends[int(at)] for at in times])
    taken = torch.from_numpy(_taken(events, times))
    parts = {name: value.clone() for name, value in head.popularity.named_buffers()}
    generator = torch.Generator().manual_seed(seed)
    parts["inner"] = START * torch.randn(parts["inner"].shape, generator=generator)
    for part in parts.values():
        part.requires_grad_()
    _minimise(parts, trend, taken)
    with torch.no_grad():
        for name, buffer in head.popularity.named_buffers():
            buffer.copy_(parts[name])


def _taken(events: Events, times: np.ndarray) -> np.ndarray:
    """(T, N) float32: the share of all rows that each item has at a time."""
    count = len(events.items)
    places = np.searchsorted(times, events.at) * count + events.item
    shares = np.bincount(places, minlength=len(times) * count) / len(events)
    return shares.reshape(len(times), count).astype(np.float32)


def _minimise(parts: dict[str, Tensor], trend: Tensor, taken: Tensor) -> None:
    optimizer = torch.optim.LBFGS(
        list(parts.values()), max_iter=NUM_STEPS, line_search_fn="strong_wolfe"
    )

    def loss() -> float:
        optimizer.zero_grad()
        chances = torch.log_softmax(trend_score(trend, parts), 1)
        squares = torch.stack([part.square().sum() for part in parts.values()]).sum()
        value = DECAY * squares - (chances * taken).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return cast(float, value.item())

    optimizer.step(loss)  # type: ignore[no-untyped-call]
