"""Encoders trained inside the model: small ones from scratch, for features that no network made,
and the top of a pre-trained image encoder.

Shapes: B batch, P positions, D dim of the feature, W width.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from fuseline.data.modalities.image.top import ImageTop


class FeatureEncoder(nn.Module):
    """Base of the encoders: features (B, P, D) to states (B, Q, W), Q being P but where an encoder
    says otherwise.

    Args:
        dim: D.
        width: W.
    """

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.dim = dim
        self.width = width

    @abstractmethod
    def forward(self, values: Tensor, masked: Tensor | None = None) -> Tensor:
        """`values` (B, P, D); `masked` (B, Q) bool, states whose values nothing may depend on."""

    def cells(self, values: Tensor) -> Tensor:
        """(B, Q, D) the features that each state stands for, averaged."""
        return values


class ConvEncoder(FeatureEncoder):
    """Two residual blocks of 1-D convolutions over the positions (after He et al. 2016, arXiv
    1603.05027), for spectra by time.

    Every clip is standardised over all its positions and bands at once, so that the contour of
    loudness stays and the level goes.
    """

    def __init__(self, dim: int, width: int) -> None:
        super().__init__(dim, width)
        self.enter = nn.Conv1d(dim, width, kernel_size=3, padding=1)
        self.blocks = nn.ModuleList(ConvBlock(width) for _ in range(2))

    def forward(self, values: Tensor, masked: Tensor | None = None) -> Tensor:
        if masked is not None:
            # Neighbours see what stands here, so that it has to go before the convolutions.
            values = _filled(values, masked)
        values = functional.layer_norm(values, values.shape[1:])
        states: Tensor = self.enter(values.transpose(1, 2))
        for block in self.blocks:
            states = block(states)
        return states.transpose(1, 2)


class ConvBlock(nn.Module):
    """`x + conv(gelu(conv(gelu(norm(x)))))` over (B, W, P)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Conv1d(width, width, kernel_size=3, padding=1)
        self.second = nn.Conv1d(width, width, kernel_size=3, padding=1)

    def forward(self, states: Tensor) -> Tensor:
        normed = self.norm(states.transpose(1, 2)).transpose(1, 2)
        changed: Tensor = self.second(functional.gelu(self.first(functional.gelu(normed))))
        return states + changed


class PerceptronEncoder(FeatureEncoder):
    """One hidden layer per position, for cells of a table: their scale says something, so that
    nothing is normalised on the way in."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__(dim, width)
        self.enter = nn.Linear(dim, width)
        self.leave = nn.Linear(width, width)

    def forward(self, values: Tensor, masked: Tensor | None = None) -> Tensor:
        del masked  # positions do not see each other
        states: Tensor = self.leave(functional.gelu(self.enter(values)))
        return states


class TopEncoder(FeatureEncoder):
    """The uppermost layers of an image encoder over the states below them; Q is grid², W the
    width of their own."""

    def __init__(self, top: ImageTop, dim: int) -> None:
        super().__init__(dim, top.dim)
        self.top = top

    def forward(self, values: Tensor, masked: Tensor | None = None) -> Tensor:
        if masked is not None:
            # Layers mix positions, so that what is hidden has to go before them.
            values = _filled(values, self.top.spread(masked, values.shape[1]))
        states: Tensor = self.top(values)
        return states

    def cells(self, values: Tensor) -> Tensor:
        return self.top.cells(values)


def _filled(values: Tensor, masked: Tensor) -> Tensor:
    """`values` with the mean of a row's visible positions at its masked ones."""
    visible = (~masked).unsqueeze(-1).to(values.dtype)
    mean = (values * visible).sum(1, keepdim=True) / visible.sum(1, keepdim=True).clamp_min(1.0)
    return torch.where(masked.unsqueeze(-1), mean, values)


ENCODERS: dict[str, type[FeatureEncoder]] = {
    "conv": ConvEncoder,
    "perceptron": PerceptronEncoder,
}
