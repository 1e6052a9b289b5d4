"""Words of a text, as messages, phrases and entries are compared by them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"\w+")
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


def words(text: str) -> list[str]:
    """Words in lower case, without marks between them; `don't` is one word."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(_APOSTROPHE.sub("", plain))


def sentences(text: str) -> list[str]:
    """Sentences and lines of a text, in their order."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


class PhraseList:
    """Finds phrases by their words.

    Args:
        phrases: to find.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = [f" {' '.join(words(phrase))} " for phrase in phrases]

    def within(self, text: str) -> bool:
        """Whether one stands in the text."""
        spaced = f" {' '.join(words(text))} "
        return any(phrase in spaced for phrase in self._phrases)

    def equals(self, text: str) -> bool:
        """Whether the text is one."""
        return f" {' '.join(words(text))} " in self._phrases
