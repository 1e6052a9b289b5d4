"""Cells that are no single value: lists, names side by side, files written as text."""

from __future__ import annotations

import ast
import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Sequence

from fuseline.data.media.names import medium_of_name
from fuseline.workbench.scaffold.media_kinds import medium_of_bytes
from fuseline.workbench.scaffold.names import MANY, plain
from fuseline.workbench.scaffold.profile import MOST, Profile

# What parts the names of a target of the kind `categories`.
READ_SEPARATOR = "|"
_SEPARATORS = (READ_SEPARATOR, ";", ",")
# Of the cells, how many hold several names at least, and how short these are.
_SEVERAL_SHARE = 0.05
_PART_CHARACTERS = 40
_PART_WORDS = 3
# So many characters of base64 tell a file by how it begins.
_BEGINNING = 64
_LEAST_BASE64 = 24
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(;[\w=.+-]+)*,", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_LIST = re.compile(r"\s*\[.*\]\s*", re.DOTALL)


def embedded_file(profile: Profile) -> str | None:
    """What most cells hold where they are files written as text: `data URIs`, `PNG in base64`."""
    kinds = Counter(_embedded(text) for text in profile.texts)
    kind, count = kinds.most_common(1)[0] if kinds else (None, 0)
    return kind if count >= MOST * len(profile.filled) else None


def _embedded(text: str) -> str | None:
    found = _DATA_URI.match(text[:200])
    if found:
        return f"data URIs of {found[1] or 'text'}"
    packed = "".join(text[: 4 * _BEGINNING].split())
    if len(packed) < _LEAST_BASE64 or not _BASE64.fullmatch(packed):
        return None
    cut = packed[: min(_BEGINNING, len(packed) // 4 * 4)].replace("-", "+").replace("_", "/")
    try:
        content = base64.b64decode(cut, validate=True)
    except binascii.Error:
        return None
    medium = medium_of_bytes(content)
    return f"base64 of {medium} files" if medium else None


def looks_like_base64(profile: Profile) -> bool:
    """Whether the cells are long, of one word, and of base64's letters alone."""
    found = sum(len(t) >= 4 * _LEAST_BASE64 and _is_base64(t) for t in profile.texts)
    return bool(profile.filled) and found >= MOST * len(profile.filled)


def _is_base64(text: str) -> bool:
    return len(text.strip()) % 4 == 0 and _BASE64.fullmatch(text.strip()) is not None


def list_of(profile: Profile) -> str | None:
    """`names`, `texts`, `numbers`, `files`, `other` or `Python` where most cells are lists."""
    kinds = [kind for cell in profile.filled if (kind := _kind_of_list(cell)) != "empty"]
    kind = max(dict.fromkeys(kinds), key=kinds.count, default=None)
    if kinds.count(kind) < MOST * len(kinds):
        return None
    return "texts" if kind == "names" and not _are_names(profile) else kind


def _are_names(profile: Profile) -> bool:
    """Whether the entries of lists of texts are short and recur."""
    lists = [_entries(cell) or [] for cell in profile.filled]
    entries = Counter(entry for cell in lists for entry in cell if isinstance(entry, str))
    short = all(len(entry) <= _PART_CHARACTERS for entry in entries)
    return short and 2 * len(entries) <= entries.total()


def _kind_of_list(cell: object) -> str | None:
    entries = _entries(cell)
    if entries is not None:
        return _kind_of_entries(entries)
    return "Python" if isinstance(cell, str) and _is_python_list(cell) else None


def _entries(cell: object) -> list[object] | None:
    """A list, as it is or as JSON; None of what is none."""
    if isinstance(cell, str):
        if not _LIST.fullmatch(cell):
            return None
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    return cell if isinstance(cell, list) else None


def _kind_of_entries(entries: list[object]) -> str:
    if not entries:
        return "empty"
    texts = [entry for entry in entries if isinstance(entry, str)]
    if len(texts) == len(entries):
        return "files" if all(map(medium_of_name, texts)) else "names"
    is_numeric = all(isinstance(entry, int | float) for entry in entries)
    return "numbers" if is_numeric else "other"


def _is_python_list(text: str) -> bool:
    """Whether it is a list as Python or numpy prints it."""
    if not _LIST.fullmatch(text):
        return False
    try:
        return isinstance(ast.literal_eval(text.strip()), list)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return re.fullmatch(r"\s*\[[\s\d.eE+-]+\]\s*", text) is not None


def separator_of(profile: Profile) -> str | None:
    """What parts several short names in a cell, where names recur and their mixtures are many."""
    if not profile.is_text or profile.looks_numeric or profile.looks_dated:
        return None
    spaced: tuple[str, ...] = (" ",) if plain(profile.name) in MANY else ()
    for separator in (*_SEPARATORS, *spaced):
        if _parts(profile.texts, separator):
            return separator
    return None


def files_apart(profile: Profile) -> str | None:
    """What parts several paths to media in a cell."""
    for separator in _SEPARATORS:
        cells = [text.split(separator) for text in profile.texts if separator in text]
        named = sum(all(medium_of_name(part.strip()) for part in cell) for cell in cells)
        if (
            cells
            and named >= MOST * len(cells)
            and len(cells) >= _SEVERAL_SHARE * len(profile.texts)
        ):
            return separator
    return None


def _parts(texts: Sequence[str], separator: str) -> bool:
    cells = [[part.strip() for part in text.split(separator)] for text in texts]
    several = sum(len(cell) > 1 for cell in cells)
    if several < max(2, _SEVERAL_SHARE * len(cells)):
        return False
    parts = Counter(part for cell in cells for part in cell if part)
    short = all(
        len(part) <= _PART_CHARACTERS and len(part.split()) <= _PART_WORDS for part in parts
    )
    return short and 2 * len(parts) <= parts.total() and len(parts) <= len(set(texts)) + 1
