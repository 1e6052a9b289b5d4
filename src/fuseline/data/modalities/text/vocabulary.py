"""Tokenizers that are made from the texts themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_tokenizer(texts: Iterable[str], vocab_size: int, *, words: bool) -> Tokenizer:
    """A WordPiece tokenizer of all characters and, where asked for, of the most frequent words.

    The vocabulary is counted here: the library's trainers break ties in an order that differs
    from run to run.

    Args:
        texts: to count in.
        vocab_size: entries at most, special tokens included; of more characters those that come
            last by their code points are left out, or without words the rarest.
        words: whether there are words too.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text)
        counts.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    pieces = _characters_and_words(counts) if words else _characters(counts)
    kept = [*SPECIAL_TOKENS, *pieces][:vocab_size]
    vocab = {piece: index for index, piece in enumerate(kept)}
    tokenizer.model = models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _characters_and_words(counts: Counter[str]) -> list[str]:
    characters = sorted({character for word in counts for character in word})
    frequent = sorted((word for word in counts if len(word) > 1), key=lambda w: (-counts[w], w))
    return [*characters, *(f"##{character}" for character in characters), *frequent]


def _characters(counts: Counter[str]) -> list[str]:
    """Characters that begin a word and, marked, those that go on with one, the commonest first."""
    found: Counter[str] = Counter()
    for word, count in counts.items():
        for place, character in enumerate(word):
            found[f"##{character}" if place else character] += count
    return sorted(found, key=lambda piece: (-found[piece], piece))
