"""Texts whose words have a tag each, as of named entities."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

from fuseline.workbench.scaffold.guess import TARGET, Verdict
from fuseline.workbench.scaffold.profile import MOST, Profile

# Tags are few, and texts have several words.
_MOST_TAGS = 100
_LEAST_WORDS = 3.0


def tagged(left: list[Profile]) -> Iterator[Verdict]:
    """A text and the column of its words' tags; lists of words and of tags, which are not read."""
    cells = {profile.name: list(map(_words, profile.cells)) for profile in left}
    several = [profile for profile in left if _are_several(cells[profile.name])]
    for text, tags in permutations(several, 2):
        if not _are_aligned(cells[text.name], cells[tags.name]):
            continue
        if not text.is_text:
            yield Verdict(text, None, "lists of words", _JOINED)
            yield Verdict(tags, None, f"a tag for each word of {text.name!r}", _JOINED)
        else:
            yield Verdict(text, "text", f"{text.mean_words:.0f} words on average")
            yield Verdict(tags, f"{TARGET}tags", f"a tag for each word of {text.name!r}")
        return


_JOINED = (
    "a text with spaces between the words, and a list of names for their tags, can be learnt as"
    " target:tags"
)


def _are_several(cells: Sequence[Sequence[str]]) -> bool:
    """Whether cells have several words on average."""
    there = [len(words) for words in cells if words]
    return bool(there) and sum(there) >= _LEAST_WORDS * len(there)


def _are_aligned(texts: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> bool:
    """Whether nearly all rows have as many tags as words, and tags are few and recur."""
    pairs = [pair for pair in zip(texts, tags, strict=False) if all(pair)]
    aligned = [pair for pair in pairs if len(pair[0]) == len(pair[1])]
    if not pairs or len(aligned) < MOST * len(pairs):
        return False
    words = {word for some, _ in aligned for word in some}
    names = [name for _, some in aligned for name in some]
    return len(set(names)) <= min(_MOST_TAGS, len(names) / 10) < len(words)


def _words(cell: Any) -> Sequence[str]:
    """The words of a text, or what a list holds, as texts."""
    if isinstance(cell, str) and cell.startswith("["):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return []
    entries = cell.split() if isinstance(cell, str) else cell
    return [str(entry) for entry in entries] if isinstance(entries, list) else []
