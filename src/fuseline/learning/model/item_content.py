"""What the content of items says, for recommendations.

Shapes: B rows, W common width, S width of the towers, N items, M modalities of D values each, R
components of all of them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.output import FuselineOutput

# R. Directions behind these hold little but noise, and the events of few people would fit it.
COMPONENTS = 256
# Of a value's spread over items, as a share of the modality's mean: what varies less is constant.
FLAT = 1e-3


class Encoded(NamedTuple):
    """Items as the backbone sees them: fused vectors (..., W), and components (..., R)."""

    fused: Tensor
    components: Tensor


class ItemContent(nn.Module):
    """Vectors (..., S) of items by their content.

    They begin with what the encoders give, standardised and turned to its principal components,
    each modality with the same part of the variance: what all items have in common tells none from
    another, and may outweigh all else. The fused vector's part begins at zero (as linear probing
    before fine-tuning: Kumar et al. 2022, arXiv 2202.10054).

    Args:
        config: of the model.
        dims: widths D by modality.
        num_items: N.
        width: S.
    """

    fused: Tensor
    components: Tensor
    axes: Tensor
    fused_mean: Tensor

    def __init__(
        self, config: FuselineConfig, dims: dict[str, int], num_items: int, width: int
    ) -> None:
        super().__init__()
        self.names = list(dims)
        for name, dim in dims.items():
            self.register_buffer(f"mean_{name}", torch.zeros(dim))
        self.register_buffer("axes", torch.zeros(sum(dims.values()), COMPONENTS))
        # Of all items, as the model last encoded them.
        self.register_buffer("fused", torch.zeros(num_items, config.hidden_size))
        self.register_buffer("components", torch.zeros(num_items, COMPONENTS))
        self.register_buffer("fused_mean", torch.zeros(config.hidden_size))
        self.norm = nn.LayerNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.project = nn.Linear(COMPONENTS, width, bias=False)
        self.project_fused = nn.Linear(config.hidden_size, width, bias=False)

    @torch.no_grad()
    def reset(self) -> None:
        """Begin with what the encoders give; nothing is encoded yet."""
        for part in (self.fused, self.fused_mean, self.components, self.axes):
            part.zero_()
        self.project_fused.weight.zero_()

    def encode(self, output: FuselineOutput) -> Encoded:
        """A batch's items, (B, W) and (B, R)."""
        values = self._stacked(output.vectors, output.present)
        return Encoded(output.pooled, values @ self.axes)

    def forward(self, encoded: Encoded) -> Tensor:
        """Vectors (..., S) float32."""
        components = self.project(self.dropout(encoded.components))
        fused = self.project_fused(self.dropout(self.norm(encoded.fused) - self.fused_mean))
        vectors: Tensor = (components + fused).float()
        return vectors

    def kept(self, items: Tensor) -> Encoded:
        """Items (...) by number, as the model last encoded them."""
        return Encoded(self.fused[items], self.components[items])

    @torch.no_grad()
    def keep(self, encoded: Encoded) -> None:
        """Keep all N items as they are encoded now."""
        self.fused.copy_(encoded.fused)
        self.components.copy_(encoded.components)
        # Fused vectors lie close together: what they share would outweigh all else.
        self.fused_mean.copy_(self.norm(self.fused).mean(0))

    @torch.no_grad()
    def fit(self, vectors: dict[str, Tensor], present: dict[str, Tensor]) -> None:
        """Find the components of what the encoders give of items, B at least 2.

        Args:
            vectors: (B, D) by modality, as `FuselineOutput` has them.
            present: (B,) bool by modality.
        """
        columns = []
        for name in self.names:
            own = present[name]
            seen = vectors[name][own] if own.any() else vectors[name]
            self._mean_of(name).copy_(seen.mean(0))
            spread = seen.std(0, correction=0)
            least = FLAT * spread.mean()
            scale = torch.where(spread > least, 1.0 / spread.clamp_min(least), 0.0)
            columns.append(scale.nan_to_num(0.0, 0.0, 0.0) / max(1, len(scale)) ** 0.5)
        scales = torch.cat(columns)
        values = self._stacked(vectors, present).double() * scales
        _, found = torch.linalg.eigh(values.T @ values)
        # The largest last. Signs are the library's choice; the largest part is positive.
        found = found.flip(1)[:, :COMPONENTS]
        peak = found.gather(0, found.abs().argmax(0, keepdim=True))
        found = found * peak.sign()
        size = (values @ found).std(correction=0).clamp_min(torch.finfo(torch.float32).tiny)
        self.axes.zero_()
        self.axes[:, : found.shape[1]] = (scales.unsqueeze(1) * found / size).float()

    def _stacked(self, vectors: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        """(B, M x D) values beside each other, less their means; 0 where a modality is absent."""
        parts = [
            (vectors[name] - self._mean_of(name)) * present[name].unsqueeze(1)
            for name in self.names
        ]
        return torch.cat(parts, dim=1)

    def _mean_of(self, name: str) -> Tensor:
        mean: Tensor = getattr(self, f"mean_{name}")
        return mean
