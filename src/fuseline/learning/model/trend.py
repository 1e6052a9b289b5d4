"""What the trend says of items, whoever asks.

Shapes: N items, F features of the trend, K hidden units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fuseline.data.trend import HALF_LIVES, NUM_FEATURES

NUM_HIDDEN = 8


class TrendScore(nn.Module):
    """A logarithm of how often an item will be taken: of its events a day, over half-lives in
    fitted shares, and what a few hidden units add.

    It is fitted before the network is trained (`learning/recommending/popularity.py`), and frozen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("half_lives", torch.zeros(len(HALF_LIVES)))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("inner", torch.zeros(NUM_FEATURES, NUM_HIDDEN))
        self.register_buffer("inner_bias", torch.zeros(NUM_HIDDEN))
        self.register_buffer("outer", torch.zeros(NUM_HIDDEN))

    def forward(self, trend: Tensor) -> Tensor:
        """(...) from features (..., F)."""
        return trend_score(trend, dict(self.named_buffers()))

    @torch.no_grad()
    def reset(self) -> None:
        """Events a day alone, all half-lives alike."""
        for name, buffer in self.named_buffers():
            buffer.fill_(1.0 if name == "scale" else 0.0)


def trend_score(trend: Tensor, parts: dict[str, Tensor]) -> Tensor:
    """(...) from features (..., F), with the parts of a `TrendScore` by name."""
    rates = trend[..., : len(HALF_LIVES)] + parts["half_lives"].log_softmax(0)
    hidden = torch.tanh(trend @ parts["inner"] + parts["inner_bias"])
    return parts["scale"] * rates.logsumexp(-1) + hidden @ parts["outer"]
