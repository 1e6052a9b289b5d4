"""Which rows of a batch may stand as each other's negatives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fuseline.objectives.base import presence


def mismatched(batch: dict[str, Tensor]) -> Tensor:
    """(B, B) bool: pairs of rows with another group that share no text, picture or other medium.

    Rows of one group (variants, translations), of one text or of one picture are true matches,
    and as negatives would be false ones, however many rows share it. What both rows lack, they
    do not share.
    """
    groups = batch["groups"]
    matched = groups.unsqueeze(0) == groups.unsqueeze(1)
    for name, present in presence(batch).items():
        values = batch["input_ids"] if name == "text" else batch[f"{name}_features"].flatten(1)
        numbers = _numbered(values)
        both = present.unsqueeze(0) & present.unsqueeze(1)
        matched = matched | (both & (numbers.unsqueeze(0) == numbers.unsqueeze(1)))
    return ~matched


def _numbered(rows: Tensor) -> Tensor:
    """(B,) int64: equal rows share the number."""
    numbers: Tensor = torch.unique(rows, dim=0, return_inverse=True)[1]
    return numbers


def contrastive_scale(model: Any) -> Tensor:
    """What contrastive similarities are multiplied with."""
    scale: Tensor = model.logit_scale.exp().clamp_max(100.0)
    return scale


def draw_negative(allowed: Tensor, logits: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Draw one allowed column for each row.

    Args:
        allowed: (B, B) bool.
        logits: (B, B), columns are drawn by their softmax over the allowed ones; evenly if None.

    Returns:
        (B,) int64 drawn columns and (B,) bool, False where a row allows none.
    """
    has_one = allowed.any(dim=1)
    # Left out before the softmax: a match can outweigh all others so far that they round to 0.
    chances = (
        allowed.float()
        if logits is None
        else logits.float().masked_fill(~allowed, float("-inf")).softmax(dim=1)
    )
    weights = torch.where(has_one.unsqueeze(1), chances, 1.0)
    return torch.multinomial(weights, 1).squeeze(1), has_one
