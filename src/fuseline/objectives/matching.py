"""Which rows of a batch may stand as each other's negatives."""

from __future__ import annotations

import torch
from torch import Tensor


def mismatched(batch: dict[str, Tensor]) -> Tensor:
    """(B, B) bool: pairs of rows with another group, another text and another picture.

    Rows of one group (variants, translations), of one text or of one picture are true matches,
    and as negatives would be false ones.
    """
    identities = [batch["groups"], _numbered(batch["input_ids"])]
    if "image_features" in batch:
        identities.append(_numbered(batch["image_features"].flatten(1)))
    differ = [values.unsqueeze(0) != values.unsqueeze(1) for values in identities]
    return torch.stack(differ).all(0)


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
