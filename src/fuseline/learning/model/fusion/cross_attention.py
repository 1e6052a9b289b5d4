"""Multi-stream fusion: each modality attends to the tokens of all others."""

from __future__ import annotations

from torch import nn

from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.fusion.base import Fused, Fusion, Sequence
from fuseline.learning.model.fusion.block import Block


class CrossAttentionFusion(Fusion):
    """Co-attention (ViLBERT: Lu et al. 2019, arXiv 1908.02265; LXMERT: Tan and Bansal 2019, arXiv
    1908.07490): a stream per modality, and in every layer each stream attends to the others as
    the layer before left them, then to itself. As in ViLBERT both steps have a feed-forward part.

    Deviations: with more than two modalities, the others are one sequence to attend to; one
    modality has itself alone. Layers are pre-norm, and what is attended to passes the norm of the
    stream that attends. The pooled vector is a projection of the fused streams' means, not a
    product of two class tokens, and adds a projection of the unimodal means.
    """

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__(config, modalities)
        self.layers = nn.ModuleList(
            CoAttention(config, modalities) for _ in range(config.fusion["num_layers"])
        )
        self.norm = nn.LayerNorm(self.width)
        self.mix = nn.Linear(len(modalities) * self.width, self.width)
        self.skip = nn.Linear(len(modalities) * self.width, self.width)

    def forward(self, sequences: dict[str, Sequence]) -> Fused:
        streams = sequences
        for layer in self.layers:
            streams = layer(streams)
        fused = {
            name: Sequence(self.norm(stream.states), stream.mask)
            for name, stream in streams.items()
        }
        pooled = self.mix(self.concatenated_means(fused))
        pooled = pooled + self.skip(self.concatenated_means(sequences))
        return Fused(pooled, {name: stream.states for name, stream in fused.items()})


class CoAttention(nn.Module):
    """One layer: two blocks per modality, to the others and to itself."""

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__()
        paired = modalities if len(modalities) > 1 else []
        self.across = nn.ModuleDict({name: Block(config) for name in paired})
        self.within = nn.ModuleDict({name: Block(config) for name in modalities})

    def forward(self, streams: dict[str, Sequence]) -> dict[str, Sequence]:
        crossed = {name: stream.states for name, stream in streams.items()}
        for name, block in self.across.items():
            others = Sequence.joined(streams[other] for other in self.within if other != name)
            crossed[name] = block(crossed[name], others.mask, others.states)
        return {
            name: Sequence(block(crossed[name], streams[name].mask), streams[name].mask)
            for name, block in self.within.items()
        }
