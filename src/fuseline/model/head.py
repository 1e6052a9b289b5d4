"""What each modality says alone, for rows that have no other. B batch, C classes, W width."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput

from fuseline.model.configuration import FuselineConfig


@dataclass
class ClassifierOutput(SequenceClassifierOutput):
    """The library's output, and what the experts said.

    Attributes:
        unimodal_logits: (B, C) float32 by modality; empty where the model takes one alone.
    """

    unimodal_logits: dict[str, Tensor] | None = None


class UnimodalExperts(nn.Module):
    """A linear classifier over each modality's mean before fusion.

    They have a loss of their own (`Supervised`), without which a modality is trained only until
    another explains the training rows (Wang et al. 2020, arXiv 1905.12681). A model of a single
    modality has none: its fused vector is that modality's.
    """

    def __init__(self, config: FuselineConfig) -> None:
        super().__init__()
        names = config.modalities if len(config.modalities) > 1 else []
        width = config.hidden_size
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width) for name in names})
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.layers = nn.ModuleDict({name: nn.Linear(width, config.num_labels) for name in names})

    def forward(self, unimodal: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits (B, C), float32, by modality, of means (B, W)."""
        return {
            name: layer(self.dropout(self.norms[name](unimodal[name]))).float()
            for name, layer in self.layers.items()
        }


def where_single(present: dict[str, Tensor], alone: dict[str, Tensor], fused: Tensor) -> Tensor:
    """The fused logits (B, C), but an expert's in rows that have its modality and no other.

    Such rows have nothing to fuse, and are too few in training for the fused vector to learn them.

    Args:
        present: (B,) bool by modality.
        alone: (B, C) by modality, logits of the experts; may be empty.
        fused: (B, C).
    """
    single = torch.stack(list(present.values())).sum(0) == 1
    for name, logits in alone.items():
        fused = torch.where((single & present[name]).unsqueeze(-1), logits, fused)
    return fused
