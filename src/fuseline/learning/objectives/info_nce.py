"""The contrastive loss of two modalities, for pre-training and for retrieval (InfoNCE: van den Oord
et al. 2018, arXiv 1807.03748)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def contrast(
    similarities: Tensor, allowed: Tensor, earlier: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, float]:
    """Losses (N,) of finding the diagonal of (N, N) both ways, and how many rows found theirs.

    `allowed` (N, N) bool says which rows are negatives; `earlier` are logits (N, K) of further
    negatives, for each way.
    """
    rows = torch.arange(len(similarities))
    false_negative = ~allowed & (rows.unsqueeze(0) != rows.unsqueeze(1))
    forth = similarities.masked_fill(false_negative, float("-inf"))
    back = forth.T
    if earlier:
        forth, back = (torch.cat(both, 1) for both in zip((forth, back), earlier, strict=True))
    losses = (_cross_entropy(forth, rows) + _cross_entropy(back, rows)) / 2
    return losses, (forth.argmax(-1) == rows).sum().item()


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="none")
