"""Words of a text, and the tokens that they begin in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

WORD = re.compile(r"\S+")


def first_tokens(text: str, offsets: Sequence[tuple[int, int]]) -> list[int | None]:
    """By token, the number of the word that begins in it, None where none does.

    Args:
        text: of the row; words are what white space parts.
        offsets: characters `(start, end)` of each token, (0, 0) of special ones.
    """
    starts = [word.start() for word in WORD.finditer(text)]
    bounds = list(pairwise([*starts, len(text)]))
    found: list[int | None] = [None] * len(offsets)
    word = 0
    for place, (start, end) in enumerate(offsets):
        # The first token that ends within a word: a byte-level one may begin at the space before.
        while word < len(bounds) and end > bounds[word][0]:
            if start < bounds[word][1] and found[place] is None:
                found[place] = word
            word += 1
    return found
