"""Linear probes of what the encoders give, before anything is fused.

Shapes: B batch, D width of a modality's vector, K outputs of a task.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class BlendedProbe(nn.Module):
    """A linear layer over the encoders' vectors, and what is trained beside it, blended:
    `trained_share * logits + probe_share * probe`.

    What a linear model makes of frozen features is hard to beat where rows are few. Added to the
    network while that is trained it would explain the training rows, and nothing would be left to
    learn; so it is fitted before, has no share while the network learns (`reset`), and gets one by
    the development rows (after stacking: Wolpert 1992, Neural Networks 5; Ting & Witten 1999, arXiv
    1105.5466). Attacks then see both; adversarial training leaves the probe out.

    Args:
        dims: D by modality; an absent modality is at the mean.
        size: K.
    """

    bias: Tensor
    trained_share: Tensor
    probe_share: Tensor

    def __init__(self, dims: dict[str, int], size: int) -> None:
        super().__init__()
        self.names = list(dims)
        # None of it is trained.
        for name, dim in dims.items():
            self.register_buffer(f"mean_{name}", torch.zeros(dim))
            self.register_buffer(f"weight_{name}", torch.zeros(size, dim))
        self.register_buffer("bias", torch.zeros(size))
        self.register_buffer("trained_share", torch.ones(()))
        self.register_buffer("probe_share", torch.zeros(()))

    def forward(
        self, logits: Tensor, vectors: dict[str, Tensor], present: dict[str, Tensor]
    ) -> Tensor:
        """Logits (B, K), float32.

        Args:
            logits: (B, K) of what is trained.
            vectors: (B, D) by modality.
            present: (B,) bool by modality.
        """
        return self.trained_share * logits + self.probe_share * self.linear(vectors, present)

    def linear(self, vectors: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        """What the probe alone says, (B, K) float32."""
        logits = self.bias
        for name in self.names:
            apart = vectors[name].float() - self.get_buffer(f"mean_{name}")
            apart = torch.where(present[name].unsqueeze(-1), apart, 0.0)
            logits = logits + (apart @ self.get_buffer(f"weight_{name}").T).float()
        return logits

    @torch.no_grad()
    def reset(self) -> None:
        """As before any fit: a probe that says nothing, and has no share."""
        for name, buffer in self.named_buffers():
            buffer.fill_(1.0 if name == "trained_share" else 0.0)

    @torch.no_grad()
    def set(
        self, means: dict[str, np.ndarray], weights: dict[str, np.ndarray], bias: np.ndarray
    ) -> None:
        """Take over a fitted model.

        Args:
            means: (D,) by modality, of the rows that it was fitted on.
            weights: (K, D) by modality, of vectors less their means.
            bias: (K,).
        """
        self.bias.copy_(torch.from_numpy(bias))
        for name in self.names:
            self.get_buffer(f"mean_{name}").copy_(torch.from_numpy(means[name]))
            self.get_buffer(f"weight_{name}").copy_(torch.from_numpy(weights[name]))
