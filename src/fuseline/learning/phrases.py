"""Texts that are written: their tokens, their words, and the phrases that refuse."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence

import regex


def own_tokens(ids: Sequence[int], end: int, silent: Collection[int]) -> list[int]:
    """A written text's ids up to the end, without those that say nothing; an unknown token stays in
    sight, since it stands for a word not written."""
    own = list(ids)
    own = own[: own.index(end)] if end in own else own
    return [token for token in own if token not in silent]


def words(text: str) -> list[str]:
    """Its runs of letters and digits without case and accents, so that the spacing of a decoded
    text counts for nothing."""
    plain = regex.sub(r"\p{M}", "", unicodedata.normalize("NFKD", text)).casefold()
    found: list[str] = regex.findall(r"\w+", plain)
    return found


def refusal_of(text: str, phrases: Mapping[str, Sequence[Sequence[str]]]) -> str | None:
    """The class of refusals one of whose phrases begins the text, None for an answer; the longest
    phrase counts, of equal ones that of the class first by name.

    Args:
        text: that was written.
        phrases: of each class, as words.
    """
    found = words(text)
    begins = [
        (-len(phrase), kind)
        for kind, known in phrases.items()
        for phrase in known
        if found[: len(phrase)] == list(phrase)
    ]
    return min(begins)[1] if begins else None
