"""Single-stream fusion: self-attention over the tokens of all modalities."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fuseline.model.configuration import FuselineConfig
from fuseline.model.fusion.base import Fused, Fusion, Sequence


class AttentionFusion(Fusion):
    """A pre-norm Transformer over one sequence of all tokens (UNITER: Chen et al. 2020, arXiv
    1909.11740), with a learned fusion token in front.

    Deviation: the pooled vector adds a projection of the unimodal means to the fusion token's
    state, so that the fused model starts from what each modality says alone.
    """

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__(config, modalities)
        fusion = config.fusion
        self.token = nn.Parameter(torch.zeros(1, 1, self.width))
        self.layers = nn.ModuleList(
            Block(self.width, fusion["num_heads"], fusion["dropout"])
            for _ in range(fusion["num_layers"])
        )
        self.norm = nn.LayerNorm(self.width)
        self.skip = nn.Linear(len(modalities) * self.width, self.width)

    def forward(self, sequences: dict[str, Sequence]) -> Fused:
        ordered = [sequences[name] for name in self.modalities]
        batch = ordered[0].states.shape[0]
        token = self.token.expand(batch, -1, -1)
        states = torch.cat([token, *(sequence.states for sequence in ordered)], dim=1)
        mask = torch.cat(
            [
                torch.ones(batch, 1, dtype=torch.bool, device=states.device),
                *(sequence.mask for sequence in ordered),
            ],
            dim=1,
        )
        for layer in self.layers:
            states = layer(states, mask)
        states = self.norm(states)
        lengths = [sequence.states.shape[1] for sequence in ordered]
        parts = states[:, 1:].split(lengths, dim=1)
        pooled = states[:, 0] + self.skip(self.concatenated_means(sequences))
        return Fused(pooled, dict(zip(self.modalities, parts, strict=True)))


class Block(nn.Module):
    """Pre-norm attention and feed-forward; separate projections, so that adapters can name them."""

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
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
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """`states` (B, L, W), `mask` (B, L) bool."""
        states = states + self.dropout(self._attend(self.attention_norm(states), mask))
        fed: Tensor = states + self.dropout(self.feed_forward(states))
        return fed

    def _attend(self, states: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            layer(states).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :]
        )
        joined: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return joined
