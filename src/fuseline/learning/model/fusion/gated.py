"""Gated fusion: how much each modality says is decided by all of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.fusion.base import Fused, Fusion, Sequence


class GatedFusion(Fusion):
    """The gated multimodal unit (Arevalo et al. 2017, arXiv 1702.01992): `h = sum z_i * h_i` over
    modalities, of contents `h_i = tanh(W_i x_i)` and gates `z_i = sigmoid(Y_i [x_1, ..., x_M])`,
    where `x_i` is a modality's mean. B batch, M modalities, W width.

    An absent modality's `x_i` is its learned token, by which every gate can tell.

    Deviations: two modalities have a gate each too, as the paper's unit for any number of them;
    its experiments use the simplification to `z` and `1 - z`. Both maps have a bias, there is
    dropout, and the pooled vector adds a projection of the means. States pass through unchanged:
    masked modelling then sees its own modality only.
    """

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__(config, modalities)
        joint = len(modalities) * self.width
        self.contents = nn.ModuleDict(
            {name: nn.Linear(self.width, self.width) for name in modalities}
        )
        self.gate = nn.Linear(joint, joint)
        self.dropout = nn.Dropout(config.fusion["dropout"])
        self.skip = nn.Linear(joint, self.width)

    def forward(self, sequences: dict[str, Sequence]) -> Fused:
        means = self.concatenated_means(sequences)
        contents = [
            torch.tanh(layer(sequences[name].mean())) for name, layer in self.contents.items()
        ]
        mixed = (self.gates(means) * torch.stack(contents, dim=1)).sum(1)
        states = {name: sequence.states for name, sequence in sequences.items()}
        return Fused(self.skip(means) + self.dropout(mixed), states)

    def gates(self, means: Tensor) -> Tensor:
        """How open each modality's gates are, (B, M, W) in (0, 1), from all means (B, M * W)."""
        opened: Tensor = torch.sigmoid(self.gate(means))
        return opened.view(-1, len(self.modalities), self.width)
