"""Which rows may stand as each other's negatives, within a batch and across batches."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.learning.objectives.base import presence


@dataclass(frozen=True)
class Identities:
    """What tells whether two of B rows are a true match.

    Attributes:
        groups: (B,) int64; rows of one group share the number.
        contents: by modality, (B,) int64; rows of one content share the number.
        present: by modality, (B,) bool, False where the row lacks it.
    """

    groups: Tensor
    contents: dict[str, Tensor]
    present: dict[str, Tensor]

    def take(self, rows: Tensor) -> Identities:
        """Rows by (B,) bool or by index."""
        return Identities(
            self.groups[rows],
            {name: numbers[rows] for name, numbers in self.contents.items()},
            {name: present[rows] for name, present in self.present.items()},
        )

    def mismatched(self, others: Identities) -> Tensor:
        """(B, N) bool: pairs with another group that share no text, picture or other medium.

        Rows of one group (variants, translations), of one text or of one picture are true matches,
        and as negatives would be false ones, however many rows share it. What both rows lack, they
        do not share.
        """
        matched = self.groups.unsqueeze(1) == others.groups.unsqueeze(0)
        for name, numbers in self.contents.items():
            both = self.present[name].unsqueeze(1) & others.present[name].unsqueeze(0)
            same = numbers.unsqueeze(1) == others.contents[name].unsqueeze(0)
            matched = matched | (both & same)
        return ~matched


def mismatched(batch: Batch) -> Tensor:
    """(B, B) bool: rows of the batch that may stand as each other's negatives."""
    present = presence(batch)
    contents = {
        name: _numbered(
            # Of NaN, which stand for what a row lacks, none equals another.
            batch["input_ids"]
            if name == "text"
            else batch[f"{name}_features"].nan_to_num(0.0).flatten(1)
        )
        for name in present
    }
    rows = Identities(batch["groups"], contents, present)
    return rows.mismatched(rows)


def _numbered(rows: Tensor) -> Tensor:
    """(B,) int64: equal rows share the number."""
    numbers: Tensor = torch.unique(rows, dim=0, return_inverse=True)[1]
    return numbers


def lasting_identities(batch: Batch) -> Identities:
    """Identities that hold from batch to batch, and in a resumed run.

    They match as `mismatched` does within the batch, but hashes take longer than its numbers.
    """
    present = presence(batch)
    contents = {
        name: _hashed(
            _texts(batch)
            if name == "text"
            else list(batch[f"{name}_features"].nan_to_num(0.0).unbind())
        )
        for name in present
    }
    return Identities(batch["groups"], contents, present)


def _texts(batch: Batch) -> list[Tensor]:
    """B int64 tensors of token ids without padding, whose width differs between batches."""
    pairs = zip(batch["input_ids"], batch["attention_mask"].bool(), strict=True)
    return [ids[mask] for ids, mask in pairs]


def _hashed(rows: list[Tensor]) -> Tensor:
    """(B,) int64 from 0: 63 bits of a hash of each row's values."""
    # Plus 0: -0.0 equals 0.0, and its bytes differ.
    digests = [hashlib.blake2b((row + 0).numpy().tobytes(), digest_size=8) for row in rows]
    return torch.tensor([int.from_bytes(digest.digest(), "little") >> 1 for digest in digests])


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
