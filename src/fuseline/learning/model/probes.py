"""Linear probes of what the encoders give, before anything is fused.

Shapes: B batch, D width of a modality's vector, K outputs of a task.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn


class BlendedProbe(nn.Module):
    """A linear layer over standardised vectors, and what is trained beside it, blended:
    `trained_share * logits + probe_share * probe`.

    What a linear model makes of frozen features is hard to beat where rows are few. Added to the
    network while that is trained it would explain the training rows, and nothing would be left to
    learn; so it is fitted before, has no share while the network learns (`reset`), and gets one by
    the development rows (after stacking: Wolpert 1992, Neural Networks 5; Ting & Witten 1999, arXiv
    1105.5466). Attacks and adversarial training then see both.

    Weights are those of vectors of unit length: optimisers that move every weight alike then change
    a probe of many columns no faster than one of few.

    Args:
        dims: D by modality; an absent modality is at the mean.
        size: K.
    """

    trained_share: Tensor
    probe_share: Tensor

    def __init__(self, dims: dict[str, int], size: int) -> None:
        super().__init__()
        self.length = math.sqrt(max(1, sum(dims.values())))
        self.bias = nn.Parameter(torch.zeros(size))
        self.weights = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(size, dim)) for name, dim in dims.items()}
        )
        for name, dim in dims.items():
            self.register_buffer(f"mean_{name}", torch.zeros(dim))
            self.register_buffer(f"scale_{name}", torch.ones(dim))
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
        logits: Tensor = self.bias
        for name, weight in self.weights.items():
            mean, scale = self.get_buffer(f"mean_{name}"), self.get_buffer(f"scale_{name}")
            values = (vectors[name].float() - mean) * scale
            values = torch.where(present[name].unsqueeze(-1), values, 0.0)
            logits = logits + (values @ weight.T).float()
        return logits

    @torch.no_grad()
    def reset(self) -> None:
        """As before any fit: a probe that says nothing, and has no share."""
        for parameter in self.parameters():
            parameter.zero_()
        for name, buffer in self.named_buffers():
            buffer.fill_(1.0 if name.startswith(("scale_", "trained_")) else 0.0)

    @torch.no_grad()
    def set(
        self, scaling: dict[str, tuple[np.ndarray, np.ndarray]], weights: np.ndarray, bias: np.ndarray
    ) -> None:
        """Take over a fitted model.

        Args:
            scaling: by modality (D,) mean and deviation of the rows that it was fitted on.
            weights: (K, sum of D), the modalities in the probe's order.
            bias: (K,).
        """
        self.bias.copy_(torch.from_numpy(bias))
        parts = np.split(weights, np.cumsum([w.shape[1] for w in self.weights.values()])[:-1], 1)
        for (name, parameter), part in zip(self.weights.items(), parts, strict=True):
            mean, deviation = scaling[name]
            self.get_buffer(f"mean_{name}").copy_(torch.from_numpy(mean))
            scale = torch.from_numpy(1.0 / (deviation * self.length))
            self.get_buffer(f"scale_{name}").copy_(scale)
            parameter.copy_(torch.from_numpy(part * self.length))


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """(B, D) mean over the positions that count.

    Args:
        states: (B, L, D).
        mask: (B, L) bool.
    """
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp_min(1.0)


def masked_deviation(states: Tensor, mask: Tensor, mean: Tensor) -> Tensor:
    """(B, D) standard deviation over the positions that count, as `masked_mean`."""
    # The root's slope has no bound at zero.
    return (masked_mean((states - mean.unsqueeze(1)) ** 2, mask) + 1e-8).sqrt()
