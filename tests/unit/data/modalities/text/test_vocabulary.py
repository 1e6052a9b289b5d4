"""Vocabularies that are counted in the texts."""

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
    assert tokenizer.encode("abc").tokens == ["[CLS]", "[UNK]", "[SEP]"]
