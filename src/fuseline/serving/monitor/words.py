"""Whether a text falls to pieces: words that the model has hardly seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuseline.data.modalities.text.tokenizer import load_tokenizer
from fuseline.data.modalities.text.vocabulary import CONTINUES, SPECIAL_TOKENS, UNKNOWN

# Characters of a short piece within a word.
_SHORT = 2


class Pieces:
    """Looks at texts. Where all pieces are single characters, short ones tell nothing, and unknown
    ones alone count.

    Args:
        folder: of an export of a model of texts.
        share: of a text's pieces that are short or unknown, above which it is strange.
    """

    def __init__(self, folder: Path, share: float) -> None:
        self._tokenizer: Any = load_tokenizer(folder)
        self._share = share
        self._unknown = self._tokenizer.token_to_id(UNKNOWN)
        pieces = self._tokenizer.get_vocab().keys() - {*SPECIAL_TOKENS}
        is_of_words = any(len(piece.removeprefix(CONTINUES)) > 1 for piece in pieces)
        self._short = _SHORT if is_of_words else 0

    def __call__(self, texts: Sequence[str]) -> list[bool]:
        """Whether each of N texts is strange."""
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [self._is_strange(one.ids, one.tokens) for one in encoded]

    def _is_strange(self, ids: Sequence[int], tokens: Sequence[str]) -> bool:
        short = sum(
            number == self._unknown
            or (token.startswith(CONTINUES) and len(token) <= len(CONTINUES) + self._short)
            for number, token in zip(ids, tokens, strict=True)
        )
        return short > self._share * max(1, len(ids))
