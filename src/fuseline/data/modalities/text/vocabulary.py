"""Tokenizers that are made from the texts themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

UNKNOWN = "[UNK]"
SPECIAL_TOKENS = ("[PAD]", UNKNOWN, "[CLS]", "[SEP]", "[MASK]")
# In front of pieces that go on with a word.
CONTINUES = "##"


def train_tokenizer(texts: Iterable[str], vocab_size: int, *, words: bool) -> Tokenizer:
    """A tokenizer of all characters and of the most frequent words, as WordPiece; or of characters
    alone.

    The vocabulary is counted here: the library's trainers break ties in an order that differs
    from run to run.

    Args:
        texts: to count in.
        vocab_size: entries at most, special tokens included; of more characters those that come
            last by their code points are left out, or without words the rarest.
        words: whether there are words too. Accents are left out then, as by encoders of English;
            without words they stay, since in other scripts such marks are vowels.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = _normalizer(words=words)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text)
        counts.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    pieces = _characters_and_words(counts) if words else _characters(counts)
    kept = [*SPECIAL_TOKENS, *pieces][:vocab_size]
    vocab = {piece: index for index, piece in enumerate(kept)}
    tokenizer.model = _model(vocab, words=words)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _normalizer(*, words: bool) -> normalizers.Normalizer:
    if words:
        return normalizers.BertNormalizer(lowercase=True)
    marked = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    # A letter and its mark may be written as one or as two. As two they share what letters share,
    # and so do the letters that a syllable of Korean is made of.
    return normalizers.Sequence([normalizers.NFD(), marked])


def _model(vocab: dict[str, int], *, words: bool) -> models.Model:
    if words:
        return models.WordPiece(vocab, unk_token=UNKNOWN, max_input_chars_per_word=100)
    # Without merges a word is its characters, however long it is, and each that is unknown is one
    # by itself: of WordPiece one such character makes the whole word unknown, and a sentence in a
    # script without spaces is a word.
    return models.BPE(
        vocab, [], unk_token=UNKNOWN, continuing_subword_prefix=CONTINUES, fuse_unk=False
    )


def _characters_and_words(counts: Counter[str]) -> list[str]:
    characters = sorted({character for word in counts for character in word})
    frequent = sorted((word for word in counts if len(word) > 1), key=lambda w: (-counts[w], w))
    return [*characters, *(f"{CONTINUES}{character}" for character in characters), *frequent]


def _characters(counts: Counter[str]) -> list[str]:
    """Characters that begin a word and, marked, those that go on with one, the commonest first."""
    found: Counter[str] = Counter()
    for word, count in counts.items():
        for place, character in enumerate(word):
            found[f"{CONTINUES}{character}" if place else character] += count
    return sorted(found, key=lambda piece: (-found[piece], piece))
