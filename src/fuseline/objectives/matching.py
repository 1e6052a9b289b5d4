"""Which rows of a batch may stand as each other's negatives."""

from __future__ import annotations

import torch
from torch import Tensor


def different_group(groups: Tensor) -> Tensor:
    """(B, B) bool: rows of other groups. Rows of one group (variants, translations, duplicates)
    are true matches, and as negatives would be false ones."""
    return groups.unsqueeze(0) != groups.unsqueeze(1)


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
