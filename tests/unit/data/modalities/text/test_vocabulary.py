"""Vocabularies that are counted in the texts."""

from unicodedata import normalize

import pytest

from fuseline.data.modalities.text.vocabulary import SPECIAL_TOKENS, train_tokenizer

TEXTS = ["aab b", "abc"]


def by_id(tokenizer):
    vocab = tokenizer.get_vocab()
    return sorted(vocab, key=vocab.get)


def test_words_come_behind_all_characters():
    found = by_id(train_tokenizer(TEXTS, 64, words=True))
    assert found == [*SPECIAL_TOKENS, "a", "b", "c", "##a", "##b", "##c", "aab", "abc"]


def test_without_words_the_commonest_characters_come_first():
    found = by_id(train_tokenizer(TEXTS, 64, words=False))
    assert found == [*SPECIAL_TOKENS, "##b", "a", "##a", "##c", "b"]


def test_the_rarest_characters_are_left_out():
    tokenizer = train_tokenizer(TEXTS, len(SPECIAL_TOKENS) + 3, words=False)
    assert tokenizer.encode("aab").tokens == ["[CLS]", "a", "##a", "##b", "[SEP]"]
    assert tokenizer.encode("abcc").tokens == ["[CLS]", "a", "##b", "[UNK]", "[UNK]", "[SEP]"]


@pytest.mark.parametrize(
    "text", ["\u0e2b\u0e38\u0e49\u0e19", "\u0926\u0941\u0928", "\u0439\u043e\u0434"]
)
def test_marks_of_other_scripts_stay(text):
    tokens = train_tokenizer([text], 64, words=False).encode(text).tokens[1:-1]
    assert "".join(token.removeprefix("##") for token in tokens) == normalize("NFD", text)


def test_a_letter_and_its_mark_are_one_however_they_are_written():
    tokenizer = train_tokenizer(["\u0439"], 64, words=False)
    assert tokenizer.encode("\u0438\u0306").tokens == tokenizer.encode("\u0439").tokens
    assert tokenizer.encode("\u0439").tokens == ["[CLS]", "\u0438", "##\u0306", "[SEP]"]


def test_a_word_may_be_as_long_as_a_sentence():
    tokenizer = train_tokenizer(["ab"], 64, words=False)
    tokens = tokenizer.encode("a" + "b" * 5000).tokens
    assert tokens == ["[CLS]", "a", *["##b"] * 5000, "[SEP]"]
