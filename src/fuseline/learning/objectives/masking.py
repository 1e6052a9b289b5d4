"""Which tokens of a text are masked: single ones, whole words, or spans of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

# A longer run of pieces counts as several words: scripts without spaces would else be one word
# a text, and be masked whole.
MAX_WORD_PIECES = 8
SPAN_STOP_CHANCE = 0.2
MAX_SPAN_WORDS = 10


class Choice(NamedTuple):
    """What to mask in a batch of texts.

    Attributes:
        chosen: (B, T) bool, tokens to guess.
        units: (B, T) int64, the same column for all tokens that are hidden in the same way.
    """

    chosen: Tensor
    units: Tensor


class Chooser(Protocol):
    """Chooses at least one word of every text that has any, and about a share of its tokens.

    Args:
        maskable: (B, T) bool.
        words: (B, T) int64, the column of the first token of each token's word.
        share: of the maskable tokens.
    """

    def __call__(self, maskable: Tensor, words: Tensor, share: float) -> Choice: ...


def words_of(maskable: Tensor, continues: Tensor) -> Tensor:
    """(B, T) int64: the column of the first token of each token's word.

    Args:
        maskable: (B, T) bool; all other tokens stand alone and end a word.
        continues: (B, T) bool, tokens that belong to the word of the token in front of them.
    """
    columns = own_columns(maskable)
    joined = maskable & functional.pad(maskable[:, :-1], (1, 0)) & continues
    first = columns.masked_fill(joined, 0).cummax(1).values
    return columns - (columns - first) % MAX_WORD_PIECES


def own_columns(like: Tensor) -> Tensor:
    """(B, T) int64: every token is a word."""
    return torch.arange(like.shape[1]).expand(like.shape)


def scattered(maskable: Tensor, words: Tensor, share: float) -> Choice:
    """Each word on its own, with the share as its chance (BERT: Devlin et al. 2019,
    arXiv 1810.04805, and its whole-word release of that year).

    Deviation: the release fills a budget a text; here the share holds on average. As there, every
    piece is hidden in a way of its own.
    """
    draws = torch.rand(maskable.shape).gather(1, words).masked_fill(~maskable, 2.0)
    lowest = draws == draws.amin(dim=1, keepdim=True)
    return Choice(maskable & ((draws < share) | lowest), own_columns(maskable))


def spans(maskable: Tensor, words: Tensor, share: float) -> Choice:
    """Spans of words until the share is reached (SpanBERT: Joshi et al. 2020, arXiv 1907.10529).

    Lengths are geometric with p = 0.2 among 1 to 10 words, their mean 3.8 as in the paper; a span
    begins at the word of a token drawn evenly, and is hidden in one way.

    Deviation: where the paper's code cuts the last word, here the word that would go beyond the
    share is taken whole, with a chance that keeps the mean; a span ends in front of another.
    """
    anchors = words.gather(1, torch.rand(maskable.shape).argsort(1)).tolist()
    draws = torch.multinomial(_span_lengths(), maskable.numel(), replacement=True)
    lengths = (draws + 1).view(maskable.shape).tolist()
    luck = torch.rand(maskable.shape).tolist()
    sizes = torch.zeros_like(words).scatter_add(1, words, maskable.long()).tolist()
    budgets = (share * maskable.sum(1)).tolist()
    found = [
        _spans_of_text(*text) for text in zip(sizes, anchors, lengths, luck, budgets, strict=True)
    ]
    units = torch.tensor(found).gather(1, words)
    return Choice(units >= 0, torch.where(units >= 0, units, words))


def _span_lengths() -> Tensor:
    """(10,) weights of 1 to 10 words."""
    return (1 - SPAN_STOP_CHANCE) ** torch.arange(MAX_SPAN_WORDS)


def _spans_of_text(
    sizes: list[int], anchors: list[int], lengths: list[int], luck: list[float], budget: float
) -> list[int]:
    """By column of a word's first token the column where its span begins, else -1.

    Args:
        sizes: tokens of the word that begins in a column, 0 for none.
        anchors: columns where spans begin, in the order of their turn.
        lengths: words of the span that begins in a column.
        luck: in [0, 1), below the part of the word left within the budget to take it.
        budget: tokens to choose.
    """
    begins = [-1] * len(sizes)
    left = budget
    for anchor in anchors:
        column = anchor
        for _ in range(lengths[anchor]):
            if column == len(sizes) or not sizes[column] or begins[column] >= 0:
                break
            if left < budget and luck[column] * sizes[column] >= left:
                return begins
            begins[column] = anchor
            left -= sizes[column]
            column += sizes[column]
    return begins


@dataclass(frozen=True)
class Masking:
    """A chooser, and whether its words are the tokenizer's or single tokens."""

    choose: Chooser
    whole_words: bool


MASKINGS = {
    "token": Masking(scattered, whole_words=False),
    "whole_word": Masking(scattered, whole_words=True),
    "span": Masking(spans, whole_words=True),
}
