"""Late fusion: the modalities' means side by side through one hidden layer."""

from __future__ import annotations

from torch import nn

from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.fusion.base import Fused, Fusion, Sequence


class ConcatFusion(Fusion):
    """Concatenation of unimodal means (Baltrušaitis et al. 2019, arXiv 1705.09406, "late").

    States pass through unchanged: masked modelling then sees its own modality only.
    """

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__(config, modalities)
        self.mix = nn.Sequential(
            nn.Linear(len(modalities) * self.width, self.width),
            nn.GELU(),
            nn.Dropout(config.fusion["dropout"]),
            nn.Linear(self.width, self.width),
        )
        self.skip = nn.Linear(len(modalities) * self.width, self.width)

    def forward(self, sequences: dict[str, Sequence]) -> Fused:
        means = self.concatenated_means(sequences)
        states = {name: sequence.states for name, sequence in sequences.items()}
        return Fused(self.skip(means) + self.mix(means), states)
