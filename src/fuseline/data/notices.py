"""What a person should look at before the figures of a run: a sentence each, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """One thing that was found in the data, and its remedy."""

    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found} {self.remedy}"
