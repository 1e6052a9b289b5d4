"""Texts that decoding may write: one of a set, or whatever a pattern matches.

Both are functions for `prefix_allowed_tokens_fn` of `generate`: they take a row's number in its
batch and its tokens (L,) so far, the start first, and give the tokens that may follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import regex
from torch import Tensor
from transformers import PreTrainedTokenizerFast

# Token id to what may follow it; an end leads to an empty one.
Node = dict[int, Any]


class OneOf:
    """One of some texts, whole: a trie over their tokens (De Cao et al. 2021, arXiv 2010.00904).

    Args:
        texts: to choose from; their tokens, ends counted, must fit the decoder's limit.
        tokenizer: of the model.

    Raises:
        ValueError: no text.
    """

    def __init__(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> None:
        if not texts:
            raise ValueError("OneOf: expected texts to choose from, found none.")
        self._end: int = tokenizer.sep_token_id
        self._root: Node = {}
        for text in texts:
            node = self._root
            for token in [*tokenizer(text, add_special_tokens=False)["input_ids"], self._end]:
                node = node.setdefault(token, {})

    def __call__(self, row: int, tokens: Tensor) -> list[int]:
        del row
        node = self._root
        for token in tokens[1:].tolist():
            node = node.get(token, {})
        # Something must follow what has ended; nobody reads it.
        return list(node) or [self._end]


class Matching:
    """What a regular expression matches from end to end; the model ends where it may.

    A text that meets the token limit before its end, and one to which no token can be added, only
    begin as the expression does. Every token of the vocabulary is tried at every step: for a
    vocabulary of 30 000 that is a fraction of a second for each new beginning.

    Args:
        pattern: of the module `regex`.
        tokenizer: of the model.
    """

    def __init__(self, pattern: str, tokenizer: PreTrainedTokenizerFast) -> None:
        self._pattern = regex.compile(pattern)
        self._tokenizer = tokenizer
        self._end: int = tokenizer.sep_token_id
        special = set(tokenizer.all_special_ids)
        self._pieces = [token for token in range(len(tokenizer)) if token not in special]
        self._known: dict[tuple[int, ...], list[int]] = {}

    def __call__(self, row: int, tokens: Tensor) -> list[int]:
        del row
        before = tuple(tokens[1:].tolist())
        if self._end in before:
            return [self._end]
        if before not in self._known:
            self._known[before] = self._allowed(list(before)) or [self._end]
        return self._known[before]

    def _allowed(self, before: list[int]) -> list[int]:
        further = self._tokenizer.batch_decode([[*before, token] for token in self._pieces])
        found = [
            token
            for token, text in zip(self._pieces, further, strict=True)
            if self._pattern.fullmatch(text, partial=True)
        ]
        whole = self._pattern.fullmatch(self._tokenizer.decode(before))
        return [*found, self._end] if whole else found
