"""Which split a group belongs to: a salted hash, held to the shares label by label."""

from __future__ import annotations

import hashlib
import math
from collections import Counter

from fuseline.params.ingest import SplitParams

# As many bits as a float holds exactly.
_BITS = 53


class Splitter:
    """Gives new groups their splits, in the order in which they come.

    The hash of a group's name decides, among the splits that keep the label's groups near the
    shares: of n groups of a label each split has more than `share * n - 1` and fewer than
    `share * n + 1`. So a label of ten groups is tested, and groups that come later move none that
    were there. Groups without a label follow the hash alone.
    """

    def __init__(self, params: SplitParams) -> None:
        self._params = params
        self._shares = {"train": params.train, "dev": params.dev, "test": params.test}
        self._counts: dict[str, Counter[str]] = {}

    def assign(self, group: str, label: str | None) -> str:
        """Split of a new group, given the label of its first row."""
        hashed = split_of(group, self._params)
        if label is None:
            return hashed
        counts = self._counts.setdefault(label, Counter())
        chosen = self._nearest_to_shares(counts, hashed)
        counts[chosen] += 1
        return chosen

    def _nearest_to_shares(self, counts: Counter[str], hashed: str) -> str:
        """The hashed split, unless it is full or another one is overdue."""
        groups = counts.total() + 1
        missing = {
            split: share * groups - counts[split] for split, share in self._shares.items() if share
        }
        # Ties go to the first in order.
        overdue = max(missing, key=lambda split: missing[split])
        if missing[overdue] >= 1.0 or missing[hashed] <= 0.0:
            return overdue
        return hashed


def split_of(group: str, params: SplitParams) -> str:
    """Return `train`, `dev` or `test` as the hash of a group's name says.

    A pure function of the group's name, the salt and the shares: no other row matters. The
    shares are those of groups, and met on average; raising a share moves groups only into it.
    """
    position = _position(group, params.salt)
    if position < params.train:
        return "train"
    # Without a test share, rounding of the sum must not leave a gap for one.
    if position < params.train + params.dev or params.test == 0:
        return "dev" if params.dev else "train"
    return "test"


def _position(group: str, salt: int) -> float:
    """Even in [0, 1) over groups, independent between salts."""
    digest = hashlib.sha256(f"{salt}\0{group}".encode()).digest()
    return math.ldexp(int.from_bytes(digest[:8], "big") >> (64 - _BITS), -_BITS)
