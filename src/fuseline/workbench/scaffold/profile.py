"""What the first values of a column look like."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from fuseline.data.media.names import medium_of_name
from fuseline.data.modalities.tabular.columns import ABSENT, INFINITE, LARGEST, PARSED_SHARE
from fuseline.data.sources.media_files import embedded_bytes, leads_out
from fuseline.data.sources.pictures import picture_entries
from fuseline.workbench.scaffold.media_kinds import medium_of_bytes

# A share of values that makes a rule hold: a few odd ones are dirt, and end in quarantine.
MOST = PARSED_SHARE
SAMPLE_VALUES = 3
SAMPLE_CHARACTERS = 28
# Fewer values rise by chance, or in a small example.
LEAST_RISING, LEAST_DRAWN = 30, 8
# By chance none of them would be alike once in 150 columns.
EXPECTED_PAIRS = 5

_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?", re.ASCII)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
)
_MOMENT = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[T ]+\d{1,2}:\d{2}.*|\w{3},? .*\d{1,2}:\d{2}:\d{2}.*"
    r"|\d{1,2}:\d{2}(:\d{2})?"
)
_WHOLE = re.compile(r"([-+]?\d{1,30})(\.0*)?", re.ASCII)
# Of scripts that part no words (Thai to Khmer, Kana, Han), a word has two letters or so.
_UNPARTED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
# 2000 to 2100, in seconds and their thousandths.
_CLOCKS = [(946_684_800 * unit, 4_102_444_800 * unit) for unit in (1, 10**3, 10**6, 10**9)]
# Of the spellings that the features parse those that are common; a test holds them to it. Their
# own parsers need pandas, for whose import nobody who asks for a guess should wait.
_PARSED_DATE = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[-+](0\d|1[0-2]):?[0-5]\d)?)?",
    re.ASCII,
)


def parses_as_number(text: str) -> bool:
    """Whether the features count it as a number too; not all that they do."""
    if text.lower() in INFINITE:
        return True
    number = _NUMBER.fullmatch(text) is not None and "," not in text
    return number and abs(float(text)) <= LARGEST


def parses_as_date(text: str) -> bool:
    """Whether `columns.dates` parses it too; not all that it parses."""
    found = _PARSED_DATE.fullmatch(text)
    if found is None:
        return False
    try:
        date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return False
    return True


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
    def is_nearly_unique(self) -> bool:
        """Whether a few values at most are there twice or missing."""
        return self.is_text and self.distinct >= MOST * len(self.cells) and self.distinct > 1

    @property
    def largest_share(self) -> float:
        """Of the values that are there, the share that the commonest makes up."""
        counts = Counter(self.texts)
        return max(counts.values(), default=0) / max(1, len(self.texts))

    @property
    def evenness(self) -> float:
        """Entropy of the values as a share of the largest that so many could have: 1 where each
        comes as often as the others."""
        counts = Counter(self.texts).values()
        entropy = sum(-count / sum(counts) * math.log(count / sum(counts)) for count in counts)
        return entropy / math.log(len(counts)) if len(counts) > 1 else 0.0

    @property
    def integers(self) -> list[int]:
        """Whole numbers, where nearly all values are such; `12.0` is one."""
        there = [text for cell in self.texts if (text := cell.strip()).lower() not in ABSENT]
        whole = [int(found[1]) for found in map(_WHOLE.fullmatch, there) if found]
        return whole if self.is_text and there and len(whole) >= MOST * len(there) else []

    @property
    def numbers(self) -> list[float]:
        """Numbers, where nearly all values are such."""
        return [float(text) for text in self.texts if parses_as_number(text.strip())]

    @property
    def rises(self) -> bool:
        """Whether values rise, or fall, from the first row to the last, most of them alone.

        Numbers, and dates that sort as texts do.
        """
        values: list[float] | list[str] = self.numbers if self.is_numeric else self.texts
        if len(values) < LEAST_RISING or len(values) > 2 * len(set(values)):
            return False
        return values in (sorted(values), sorted(values, reverse=True))

    @property
    def is_drawn_once(self) -> bool:
        """Whether whole numbers never recur though chance would have had them recur: so many lie
        in so small a range only where somebody numbered the rows."""
        values = self.integers
        if len(values) < LEAST_DRAWN or len(values) > len(set(values)):
            return False
        # Of n draws from r numbers, n^2 / 2r pairs are expected to be alike.
        return len(values) ** 2 > 2 * EXPECTED_PAIRS * (max(values) - min(values) + 1)

    @property
    def is_clock(self) -> bool:
        """Whether they are seconds, milli-, micro- or nanoseconds since 1970, of this century."""
        values = self.integers
        inside = sum(any(low <= value < high for low, high in _CLOCKS) for value in values)
        return bool(values) and inside >= MOST * len(values)

    @property
    def has_times_of_day(self) -> bool:
        """Whether most are dates with a time of day."""
        return self.match(_MOMENT)

    @property
    def repeats(self) -> bool:
        """Whether values come again and again: twice on average at least."""
        return self.distinct >= 2 and 2 * self.distinct <= len(self.texts)

    @property
    def mean_characters(self) -> float:
        return sum(map(len, self.texts)) / max(1, len(self.texts))

    @property
    def mean_words(self) -> float:
        return sum(map(_words, self.texts)) / max(1, len(self.texts))

    def match(self, pattern: re.Pattern[str]) -> bool:
        """Whether most values match the pattern from end to end."""
        found = sum(pattern.fullmatch(text.strip()) is not None for text in self.texts)
        return self.is_text and found >= MOST * len(self.filled)

    @property
    def is_numeric(self) -> bool:
        """Whether the features will see numbers."""
        return self._parse(parses_as_number)

    @property
    def is_date(self) -> bool:
        """Whether the features will see dates."""
        return self._parse(parses_as_date)

    def _parse(self, parses: Callable[[str], bool]) -> bool:
        there = [text for cell in self.texts if (text := cell.strip()).lower() not in ABSENT]
        return self.is_text and bool(there) and sum(map(parses, there)) >= MOST * len(there)

    @property
    def looks_numeric(self) -> bool:
        """Whether people see numbers, of which the features may make none: `3,14`."""
        return self.is_numeric or self.match(_NUMBER)

    @property
    def looks_dated(self) -> bool:
        """Whether people see dates, of which the features may make none: `31.12.2024`."""
        return self.is_date or self.match(_DATE)

    @cached_property
    def medium(self) -> str | None:
        """`image`, `audio` or `video` where most values are such files, or lists of pictures."""
        lists = list(filter(None, self._entries))
        kinds = Counter(map(_medium_of_all, lists))
        kind, count = kinds.most_common(1)[0] if kinds else (None, 0)
        is_read = kind == "image" or self.most_entries <= 1
        return kind if is_read and count >= MOST * len(lists) else None

    @cached_property
    def most_entries(self) -> int:
        """How many the longest list of pictures has, as `ingest` would read them."""
        return max(map(len, self._entries), default=0)

    @cached_property
    def _entries(self) -> list[list[Any]]:
        """Each value as the pictures that `ingest` would read of it."""
        return [picture_entries(cell, _are_media) for cell in self.filled]

    @property
    def paths(self) -> list[str]:
        """The values that are paths rather than bytes."""
        entries = [entry for cell in self._entries for entry in cell]
        return [path for path in map(_path, entries) if path]

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


def _words(text: str) -> float:
    """Words, those of scripts that part none by their letters."""
    unparted = len(_UNPARTED.findall(text))
    return len(_UNPARTED.sub(" ", text).split()) + unparted / 2


def _are_media(parts: Sequence[str]) -> bool:
    """Whether the parts of a cell are files, as far as their names tell."""
    return all(map(medium_of_name, parts))


def _medium_of_all(entries: Sequence[Any]) -> str | None:
    """The medium that all entries of a cell are of; places may be empty."""
    media = {_medium(entry) for entry in entries if entry not in (None, "")}
    return media.pop() if len(media) == 1 else None


def _medium(cell: Any) -> str | None:
    content = _bytes(cell)
    if content is not None:
        return medium_of_bytes(content)
    path = cell.get("path") if isinstance(cell, dict) else cell
    return medium_of_name(path) if isinstance(path, str) else None


def _bytes(cell: Any) -> bytes | None:
    """The content of a file that a cell holds, as it is or in base64."""
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if isinstance(content, str):
        content = embedded_bytes(content)
    return content if isinstance(content, bytes) else None


def _path(cell: Any) -> str | None:
    if _bytes(cell) is not None:
        return None
    path = cell.get("path") if isinstance(cell, dict) else cell
    return path if isinstance(path, str) else None


def _shown(cell: Any) -> str:
    content = _bytes(cell)
    if content is not None:
        return f"<{len(content)} bytes>"
    text = " ".join(str(cell).split())
    return text if len(text) <= SAMPLE_CHARACTERS else text[: SAMPLE_CHARACTERS - 1] + "…"
