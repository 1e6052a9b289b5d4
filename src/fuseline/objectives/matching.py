"""Which rows of a batch may stand as each other's negatives."""

from __future__ import annotations

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


def draw_negative(allowed: Tensor) -> tuple[Tensor, Tensor]:
    """Draw one allowed column for each row.

    Args:
        allowed: (B, B) bool.

    Returns:
        (B,) int64 drawn columns and (B,) bool, False where a row allows none.
    """
    has_one = allowed.any(dim=1)
    weights = allowed.float() + (~has_one).float().unsqueeze(1)
    return torch.multinomial(weights, 1).squeeze(1), has_one
