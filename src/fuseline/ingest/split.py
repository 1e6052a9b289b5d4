"""Which split a group belongs to: a salted hash, so that adding rows never moves a row."""

from __future__ import annotations

import hashlib
import math

from fuseline.params.ingest import SplitParams

# As many bits as a float holds exactly.
_BITS = 53


def split_of(group: str, params: SplitParams) -> str:
    """Return `train`, `dev` or `test` for every row of a group.

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
