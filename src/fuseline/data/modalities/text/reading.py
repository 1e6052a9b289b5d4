"""How well a tokenizer reads texts: the share of letters that it sees in pieces too short, or in
none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from tokenizers import Tokenizer

# More texts would tell the same.
MAX_TEXTS = 10_000
# Letters of a piece that may be any syllable of a word.
SHORT = 2
IDEOGRAPHS = ("\u3400", "\u9fff")


@dataclass(frozen=True)
class Reading:
    """Shares of the letters of texts; 0 where there are none.

    Attributes:
        unread_share: letters that are unknown, or pieces of their own. An ideograph that is known
            is read: it is a word, or half of one.
        short_share: those, and letters in pieces of `SHORT`.
    """

    unread_share: float = 0.0
    short_share: float = 0.0


def read_texts(tokenizer: Tokenizer, unknown: int, texts: Iterable[str]) -> Reading:
    """How a tokenizer reads the first `MAX_TEXTS` texts.

    Args:
        tokenizer: of the encoder.
        unknown: its id of what it does not know.
        texts: as they are written.
    """
    letters = unread = short = 0
    kept = list(islice(texts, MAX_TEXTS))
    for text, encoding in zip(kept, tokenizer.encode_batch(kept), strict=True):
        # By places in the text, as some pieces are bytes of a letter, or parts of a syllable.
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            piece = [letter for letter in text[start:end] if letter.isalpha()]
            whole = any(IDEOGRAPHS[0] <= letter <= IDEOGRAPHS[1] for letter in piece)
            letters += len(piece)
            unread += len(piece) * _too_short(token == unknown, len(piece), whole, 1)
            short += len(piece) * _too_short(token == unknown, len(piece), whole, SHORT)
    return Reading(unread / max(letters, 1), short / max(letters, 1))


def _too_short(unknown: bool, letters: int, whole: bool, longest: int) -> bool:
    return unknown or (letters <= longest and not whole)
