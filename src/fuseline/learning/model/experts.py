"""What each modality says alone, for rows that have no other.

Shapes: B batch, W common width, K outputs of a task.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fuseline.learning.model.configuration import FuselineConfig


class UnimodalExperts(nn.Module):
    """A linear layer over each modality's mean before fusion.

    They have a loss of their own (`Supervised`), without which a modality is trained only until
    another explains the training rows (Wang et al. 2020, arXiv 1905.12681). A model of a single
    modality has none: its fused vector is that modality's.

    Args:
        config: of the whole model.
        size: K.
    """

    def __init__(self, config: FuselineConfig, size: int) -> None:
        super().__init__()
        names = config.modalities if len(config.modalities) > 1 else []
        width = config.hidden_size
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width) for name in names})
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.layers = nn.ModuleDict({name: nn.Linear(width, size) for name in names})

    def forward(self, unimodal: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits (B, K), float32, by modality, of means (B, W)."""
        return {
            name: layer(self.dropout(self.norms[name](unimodal[name]))).float()
            for name, layer in self.layers.items()
        }


def where_single(present: dict[str, Tensor], alone: dict[str, Tensor], fused: Tensor) -> Tensor:
    """The fused logits (B, K), but an expert's in rows that have its modality and no other.

    Such rows have nothing to fuse, and are too few in training for the fused vector to learn them.

    Args:
        present: (B,) bool by modality.
        alone: (B, K) by modality, logits of the experts; may be empty.
        fused: (B, K).
    """
    single = torch.stack(list(present.values())).sum(0) == 1
    for name, logits in alone.items():
        fused = torch.where((single & present[name]).unsqueeze(-1), logits, fused)
    return fused
