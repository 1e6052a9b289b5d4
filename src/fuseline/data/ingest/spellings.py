"""One spelling for names that are the same, and sentences about those that may be.

The first spelling that comes stands for all, so that rows added later change no earlier one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from fuseline.data.sources.base import brief
from fuseline.params.ingest import Spelling

# Characters that nobody sees, wherever they stand; the two that join letters of some scripts, and
# emoji, only beside ASCII or at an end.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
_WHOLE_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_BOOLEANS = {"true": "1", "false": "0"}

# How many examples a sentence has.
_SHOWN = 3
# What may part several names in a cell; a space does in many a single name.
_SEPARATORS = (";", "|", ",", "/", " ")
_LEAST_CELLS = 3
_LEAST_SHARE = 0.3


class Spellings:
    """Names of every column, each settled on one spelling.

    Args:
        spelling: what counts as the same: `as_written`, `certain` (whole numbers whatever zeros
            follow their point, booleans in any case, invisible characters) or `all` (also case,
            full width, zeros before and behind a number, and 1 for true).
    """

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self._settled: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._merged: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)

    def visible(self, name: str) -> str:
        """The name without what nobody sees; perhaps empty."""
        if self._spelling == "as_written" or name.isascii():
            return name
        return " ".join(_INVISIBLE.sub("", name).split())

    def settle(self, column: str, name: str) -> str:
        """The spelling of a name, which is counted."""
        key = _KEYS[self._spelling](name)
        settled = self._settled[column].setdefault(key, name)
        self._rows[column][settled] += 1
        if settled != name:
            self._merged[column][name, settled] += 1
        return settled

    def names(self, column: str) -> Mapping[str, int]:
        """Rows by settled name."""
        return self._rows[column]

    def notes(self, column: str) -> list[str]:
        """What was made one, and what may be one but was not."""
        notes = []
        if merged := self._merged[column]:
            pairs = [
                f"{brief(name)!r} as {brief(settled)!r} ({rows} rows)"
                for (name, settled), rows in merged.most_common(_SHOWN)
            ]
            notes.append(
                f"{column}: {_listed(pairs, len(merged))} counted as one name each;"
                " ingest.spellings: as_written keeps them apart."
            )
        if alike := self._alike(column):
            groups = [
                " and ".join(f"{brief(name)!r} ({self._rows[column][name]} rows)" for name in names)
                for names in alike[:_SHOWN]
            ]
            # Of a wide set, many such groups; what they differ in is said of the first.
            notes.append(
                f"{column}: {_listed(groups, len(alike))} stay names of their own, though they"
                f" differ only in {_difference(alike[0])}; ingest.spellings: all makes them one."
            )
        return notes

    def _alike(self, column: str) -> list[list[str]]:
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(self._rows[column]):
            groups[_loose(name)].append(name)
        return [names for names in groups.values() if len(names) > 1]


def parted_by(names: Mapping[str, int]) -> str | None:
    """The separator by which many names read like combinations of few; None where there is none."""
    return next((mark for mark in _SEPARATORS if _is_parted(list(names), mark)), None)


def _is_parted(names: Sequence[str], mark: str) -> bool:
    parted = [[part.strip() for part in name.split(mark) if part.strip()] for name in names]
    several = [parts for parts in parted if len(parts) > 1]
    counts = Counter(part for parts in parted for part in set(parts))
    if len(several) < max(_LEAST_CELLS, _LEAST_SHARE * len(names)) or len(counts) >= len(names):
        return False
    # A decimal comma, a date, a path: numbers are no names.
    if all(part.isdigit() for part in counts) and mark in ",/":
        return False
    shared = sum(count > 1 for count in counts.values())
    alone = sum(len(parts) == 1 for parts in parted)
    enough = alone >= len(counts) / 2 if mark in " /" else True
    return enough and shared >= len(counts) / 2


def _certain(name: str) -> str:
    if _WHOLE_NUMBER.fullmatch(name):
        return f"number {_whole(name)}"
    if name.casefold() in _BOOLEANS:
        return f"boolean {name.casefold()}"
    return name


def _whole(name: str) -> str:
    digits = name.partition(".")[0].lstrip("+")
    return "0" if digits == "-0" else digits


def _loose(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    plain = _BOOLEANS.get(plain, plain)
    if not _NUMBER.fullmatch(plain):
        return plain
    sign = "-" if plain[0] == "-" else ""
    whole, _, rest = plain.lstrip("+-").partition(".")
    number = f"{whole.lstrip('0') or '0'}.{rest.rstrip('0')}"
    return f"number {'' if number == '0.' else sign}{number}"


_KEYS: dict[Spelling, Callable[[str], str]] = {
    "as_written": lambda name: name,
    "certain": _certain,
    "all": _loose,
}


def _difference(names: Sequence[str]) -> str:
    """What tells names of one loose spelling apart."""
    folded = {name.casefold() for name in names}
    if len(folded) == 1:
        return "case"
    if folded & set(_BOOLEANS):
        return "how true and false are written"
    if any(re.match(r"[+-]?0[0-9]", name) for name in names):
        return "zeros before a number, which may be part of a code"
    if all(_NUMBER.fullmatch(name) for name in names):
        return "how a number is written, which may be a version"
    return "the form of their letters"


def _listed(shown: Sequence[str], number: int) -> str:
    more = number - len(shown)
    return "; ".join([*shown, f"{more} more"] if more > 0 else shown)
