"""The Transformer layer that the fusion kinds with attention are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from fuseline.learning.model.configuration import FuselineConfig


class Block(nn.Module):
    """Pre-norm attention and feed-forward; separate projections, so that adapters can name them.

    B batch, L positions that attend, K positions that are attended to, W width.
    """

    def __init__(self, config: FuselineConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.num_heads = config.fusion["num_heads"]
        self.attention_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
        )
        self.dropout = nn.Dropout(config.fusion["dropout"])

    def forward(self, states: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        """The states after one layer, (B, L, W).

        Args:
            states: (B, L, W).
            mask: (B, K) bool, True where a position may be attended to.
            context: (B, K, W) what is attended to; the states themselves if None.
        """
        queries = self.attention_norm(states)
        attended = queries if context is None else self.attention_norm(context)
        states = states + self.dropout(self._attend(queries, attended, mask))
        fed: Tensor = states + self.dropout(self.feed_forward(states))
        return fed

    def _attend(self, queries: Tensor, attended: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            layer(states).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for layer, states in (
                (self.query, queries),
                (self.key, attended),
                (self.value, attended),
            )
        )
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :]
        )
        joined: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return joined
