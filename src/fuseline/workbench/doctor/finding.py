"""What an examination says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; only `FATAL` stops a run."""

    OK = "ok"
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True)
class Finding:
    """One thing looked at, what was found, and what to do where it is not well."""

    level: Level
    subject: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.level.upper():<8} {self.subject}: {self.found}"
        return f"{line}\n         -> {self.remedy}" if self.remedy else line


def size(num_bytes: float) -> str:
    """A number of bytes to read, in decimal units."""
    for unit in ("bytes", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"
