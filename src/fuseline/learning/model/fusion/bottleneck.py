"""Bottleneck fusion: modalities exchange through a few tokens only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.fusion.base import Fused, Fusion, Sequence
from fuseline.learning.model.fusion.block import Block


class BottleneckFusion(Fusion):
    """Attention bottlenecks (MBT: Nagrani et al. 2021, arXiv 2107.00135): in every layer each
    modality's tokens and the bottleneck's attend to one another, and the bottleneck becomes the
    mean of what the modalities made of it. B batch, N bottleneck tokens, W width.

    Deviations: every layer exchanges, since the encoders before are the paper's unimodal layers.
    The pooled vector is the mean of the last bottleneck, not of a class token per modality, and
    adds a projection of the unimodal means.
    """

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__(config, modalities)
        fusion = config.fusion
        # Drawn as in the paper's code: tokens that start equal would stay equal.
        self.tokens = nn.Parameter(
            torch.randn(1, fusion["num_bottleneck_tokens"], self.width) * 0.02
        )
        self.layers = nn.ModuleList(
            Exchange(config, modalities) for _ in range(fusion["num_layers"])
        )
        self.norm = nn.LayerNorm(self.width)
        self.skip = nn.Linear(len(modalities) * self.width, self.width)

    def forward(self, sequences: dict[str, Sequence]) -> Fused:
        means = self.concatenated_means(sequences)
        tokens = self.tokens.expand(means.shape[0], -1, -1)
        streams = sequences
        for layer in self.layers:
            tokens, streams = layer(tokens, streams)
        states = {name: self.norm(stream.states) for name, stream in streams.items()}
        return Fused(self.norm(tokens).mean(1) + self.skip(means), states)


class Exchange(nn.Module):
    """One layer: a block per modality, over the bottleneck and that modality's tokens."""

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({name: Block(config) for name in modalities})

    def forward(
        self, tokens: Tensor, streams: dict[str, Sequence]
    ) -> tuple[Tensor, dict[str, Sequence]]:
        """`tokens` (B, N, W) and the streams, after one layer."""
        views, fused = [], {}
        for name, block in self.blocks.items():
            both = Sequence.joined([Sequence.whole(tokens), streams[name]])
            states = block(both.states, both.mask)
            views.append(states[:, : tokens.shape[1]])
            fused[name] = Sequence(states[:, tokens.shape[1] :], streams[name].mask)
        return torch.stack(views).mean(0), fused
