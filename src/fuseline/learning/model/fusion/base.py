"""What every fusion takes and gives. B batch, L positions of one modality, W width."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fuseline.learning.model.configuration import FuselineConfig


@dataclass(frozen=True)
class Sequence:
    """States of one modality: `states` (B, L, W), `mask` (B, L) bool, True where real."""

    states: Tensor
    mask: Tensor

    @classmethod
    def whole(cls, states: Tensor) -> Sequence:
        """States that are all real."""
        return cls(states, torch.ones_like(states[..., 0], dtype=torch.bool))

    @classmethod
    def joined(cls, sequences: Iterable[Sequence]) -> Sequence:
        """One after the other, in one sequence."""
        parts = list(sequences)
        return cls(
            torch.cat([part.states for part in parts], dim=1),
            torch.cat([part.mask for part in parts], dim=1),
        )

    def mean(self) -> Tensor:
        """Mean over real positions, (B, W)."""
        weights = self.mask.unsqueeze(-1).to(self.states.dtype)
        return (self.states * weights).sum(1) / weights.sum(1).clamp_min(1.0)

    def deviation(self) -> Tensor:
        """Standard deviation over real positions, (B, W)."""
        apart = Sequence((self.states - self.mean().unsqueeze(1)) ** 2, self.mask)
        # The root's slope has no bound at zero. What is added must not be so small that optimisers
        # of exported graphs take it for nothing, as they do 1e-8.
        return (apart.mean() + 1e-6).sqrt()


@dataclass(frozen=True)
class Fused:
    """`pooled` (B, W) and the fused states (B, L, W) by modality."""

    pooled: Tensor
    states: dict[str, Tensor]


class Fusion(nn.Module):
    """Base of the fusion kinds.

    Args:
        config: the model's configuration.
        modalities: names of the sequences that will come, in order.
    """

    def __init__(self, config: FuselineConfig, modalities: list[str]) -> None:
        super().__init__()
        self.modalities = modalities
        self.width = config.hidden_size

    @abstractmethod
    def forward(self, sequences: dict[str, Sequence]) -> Fused:
        """Fuse; `sequences` has every name of `modalities`."""

    def concatenated_means(self, sequences: dict[str, Sequence]) -> Tensor:
        """Means of all modalities side by side, (B, M * W)."""
        return torch.cat([sequences[name].mean() for name in self.modalities], dim=-1)
