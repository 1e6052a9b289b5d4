"""Personal data in texts and cells, by pattern and checksum; names of people are not looked for.

Presidio's recognisers do the finding, one by one and without its language model. Most texts
never reach them: they hold nothing that is shaped like a find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

# Spans of a text.
Finder = Callable[[str], Iterator[tuple[int, int]]]

# What every find holds at least one of: an at sign, six digits not far apart, parts of an address.
_ANY = re.compile(r"@|\d(?:\D{0,4}\d){5}|\d\.\d{1,3}\.\d|:[\da-fA-F]{0,4}:")

# Kind, and what a text must hold for its recognisers to be asked; the surest kinds first.
_SHAPES: dict[str, re.Pattern[str]] = {
    "email": re.compile(r"\w@\w"),
    "iban": re.compile(r"\b[a-z]{2}\d\d ?[a-z\d]{4}", re.IGNORECASE),
    "payment_card": re.compile(r"\d(?:[ -]?\d){12}"),
    "ip_address": re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d|:[\da-f]{0,4}:", re.IGNORECASE),
    # Nine digits, or six to eight beside letters.
    "national_id": re.compile(
        r"\d(?:[ .:/-]?\d){8}|[a-z]\d{7}|\d{7}-?[a-z]|\d{6}[-+a-y]\d{3}"
        r"|[a-z] ?\d\d ?\d\d ?\d\d ?[a-d]|[a-z]{6}[\da-z]{2}[a-z][\da-z]{2}[a-z]",
        re.IGNORECASE,
    ),
    "phone": re.compile(r"\d(?:[\s().\-/–]{0,3}\d){6}"),
}
KINDS = tuple(_SHAPES)

# Names of columns that say what a row of digits is.
_TELLING_COLUMN = re.compile(
    r"(?:^|[\W_])(phone|telephone|tel|mobile|fax|telefon|whatsapp|ssn|nhs|pesel|aadhaar|tfn"
    r"|personnummer)(?:[\W_]*(?:no|nr|num|number))?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Find:
    """One stretch of a text, from `start` to before `end`, and the kind of data it is."""

    kind: str
    start: int
    end: int


def find_personal_data(text: str, *, context: str = "") -> list[Find]:
    """Finds in order, none overlapping another.

    Finds that overlap become one, which covers both and bears the name of the surer kind: no
    character of either is left over.

    Args:
        text: what is searched.
        context: what stands before it and may tell what a number is; see `column_context`.
    """
    if _ANY.search(text) is None:
        return []
    whole = context + text
    found = [
        Find(kind, start - len(context), end - len(context))
        for kind, shape in _SHAPES.items()
        if shape.search(text)
        for start, end in _finders()[kind](whole)
        if start >= len(context)
    ]
    return _merged(found)


def column_context(column: str) -> str:
    """Words to set before a cell, where its column's name says that its digits are personal:
    `home_phone` does, `phone_model` does not."""
    told = _TELLING_COLUMN.search(column)
    return f"{told[1]}: " if told else ""


def mask(text: str, finds: list[Find]) -> str:
    """The text with a token such as `[EMAIL]` in the place of each find."""
    for find in reversed(finds):
        text = f"{text[: find.start]}[{find.kind.upper()}]{text[find.end :]}"
    return text


def _merged(found: list[Find]) -> list[Find]:
    merged: list[Find] = []
    for find in sorted(found, key=lambda find: (find.start, find.end)):
        if not merged or find.start >= merged[-1].end:
            merged.append(find)
            continue
        last = merged[-1]
        kind = min(last.kind, find.kind, key=KINDS.index)
        merged[-1] = Find(kind, last.start, max(last.end, find.end))
    return merged


@cache
def _finders() -> dict[str, Finder]:
    # Presidio takes seconds to import: only texts with something to judge pay for it.
    from fuseline.data.ingest.safety.recognisers import FINDERS

    assert set(FINDERS) == set(KINDS)
    return FINDERS
