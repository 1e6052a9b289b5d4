"""What the first values of a column look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.scaffold.media_kinds import medium_of_bytes, medium_of_name
from fuseline.sources.media_files import leads_out

# A share of values that makes a rule hold: a few odd ones are dirt, and end in quarantine.
MOST = 0.9
SAMPLE_VALUES = 3
SAMPLE_CHARACTERS = 28

_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
)


@dataclass(frozen=True)
class Profile:
    """A column's name and the first values it has.

    Attributes:
        name: of the column.
        cells: values as the source gives them, None where empty.
    """

    name: str
    cells: Sequence[Any]

    @property
    def filled(self) -> list[Any]:
        return [cell for cell in self.cells if cell is not None]

    @property
    def texts(self) -> list[str]:
        return [cell for cell in self.filled if isinstance(cell, str)]

    @property
    def is_text(self) -> bool:
        return bool(self.filled) and len(self.texts) >= MOST * len(self.filled)

    @property
    def distinct(self) -> int:
        return len(set(self.texts))

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value, each of its own."""
        return self.is_text and self.distinct == len(self.cells)

    @property
    def repeats(self) -> bool:
        """Whether values come again and again: twice on average at least."""
        return self.distinct >= 2 and 2 * self.distinct <= len(self.texts)

    @property
    def mean_characters(self) -> float:
        return sum(map(len, self.texts)) / max(1, len(self.texts))

    @property
    def mean_words(self) -> float:
        return sum(len(text.split()) for text in self.texts) / max(1, len(self.texts))

    def match(self, pattern: re.Pattern[str]) -> bool:
        """Whether most values match the pattern from end to end."""
        found = sum(pattern.fullmatch(text.strip()) is not None for text in self.texts)
        return self.is_text and found >= MOST * len(self.filled)

    @property
    def is_numeric(self) -> bool:
        return self.match(_NUMBER)

    @property
    def is_date(self) -> bool:
        return self.match(_DATE)

    @property
    def medium(self) -> str | None:
        """`image`, `audio` or `video` where most values are such files."""
        kinds = Counter(_medium(cell) for cell in self.filled)
        kind, count = kinds.most_common(1)[0] if kinds else (None, 0)
        return kind if count >= MOST * len(self.filled) else None

    @property
    def paths(self) -> list[str]:
        """The values that are paths rather than bytes."""
        return [path for path in map(_path, self.filled) if path]

    def paths_there(self, root: Path | None) -> tuple[int, int]:
        """How many values are paths, and how many of them lead to a file below `root`."""
        paths = self.paths
        there = sum(root is not None and is_there(path, root) for path in paths)
        return len(paths), there

    @property
    def samples(self) -> list[str]:
        """Up to three different values, cut to what fits a table."""
        return list(dict.fromkeys(_shown(cell) for cell in self.filled))[:SAMPLE_VALUES]


def is_there(path: str, root: Path) -> bool:
    """Whether ingest would find the file: below `root`, under a relative path."""
    return not leads_out(path) and (root / path).is_file()


def _medium(cell: Any) -> str | None:
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if isinstance(content, bytes):
        return medium_of_bytes(content)
    path = cell.get("path") if isinstance(cell, dict) else cell
    return medium_of_name(path) if isinstance(path, str) else None


def _path(cell: Any) -> str | None:
    if isinstance(cell, dict):
        cell = cell.get("path") if cell.get("bytes") is None else None
    return cell if isinstance(cell, str) else None


def _shown(cell: Any) -> str:
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if isinstance(content, bytes):
        return f"<{len(content)} bytes>"
    text = " ".join(str(cell).split())
    return text if len(text) <= SAMPLE_CHARACTERS else text[: SAMPLE_CHARACTERS - 1] + "…"
