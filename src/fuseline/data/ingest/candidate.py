"""A row that was checked and may be kept, before its group and split are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A row of `contracts.EXAMPLES` or `contracts.QUARANTINE`.
Record = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """One checked row.

    Attributes:
        record: the row of `contracts.EXAMPLES`, its `group` and `split` the user's own
            or None.
        batch: of the raw row.
        fingerprints: by medium (`image`, `audio`, `video`), perceptual bits of a fixed length,
            see `fingerprints.py`.
    """

    record: Record
    batch: int
    fingerprints: Mapping[str, bytes]
