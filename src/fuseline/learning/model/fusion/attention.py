"""Single-stream fusion: self-attention over the tokens of all modalities."""

from __future__ import annotations

import torch
from torch import nn

from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.fusion.base import Fused, Fusion, Sequence
from fuseline.learning.model.fusion.block import Block


class AttentionFusion(Fusion):
    """A pre-norm Transformer over one sequence of all tokens (UNITER: Chen et al. 2020, arXiv
    1909.11740), with a learned fusion token in front.

    Deviation: the pooled vector adds a projection of the unimodal means to the fusion token's
    state, so that the fused model starts from what each modality says alone.
    """

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__(config, modalities)
        self.token = nn.Parameter(torch.zeros(1, 1, self.width))
        self.layers = nn.ModuleList(Block(config) for _ in range(config.fusion["num_layers"]))
        self.norm = nn.LayerNorm(self.width)
        self.skip = nn.Linear(len(modalities) * self.width, self.width)

    def forward(self, sequences: dict[str, Sequence]) -> Fused:
        ordered = [sequences[name] for name in self.modalities]
        token = self.token.expand(ordered[0].states.shape[0], -1, -1)
        stream = Sequence.joined([Sequence.whole(token), *ordered])
        states = stream.states
        for layer in self.layers:
            states = layer(states, stream.mask)
        states = self.norm(states)
        lengths = [sequence.states.shape[1] for sequence in ordered]
        parts = states[:, 1:].split(lengths, dim=1)
        pooled = states[:, 0] + self.skip(self.concatenated_means(sequences))
        return Fused(pooled, dict(zip(self.modalities, parts, strict=True)))
