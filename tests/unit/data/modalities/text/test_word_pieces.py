"""Words are found again from token ids alone."""

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from fuseline.data.modalities.text.word_pieces import continuing_pieces

WORD_PIECE = {"[UNK]": 0, "red": 1, "##dish": 2, "dot": 3}
BYTE_LEVEL = {"red": 0, "Ġred": 1, "dish": 2, "Ġdot": 3, ".": 4}
SENTENCE_PIECE = [("<unk>", 0.0), ("▁red", -1.0), ("dish", -1.0), ("▁", -1.0), ("▁dot", -1.0)]


def byte_level():
    tokenizer = Tokenizer(models.BPE(BYTE_LEVEL, []))
    split = pre_tokenizers.Split(Regex(r" ?\w+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    return tokenizer


def sentence_piece(*, by_normalizer):
    tokenizer = Tokenizer(models.Unigram(SENTENCE_PIECE, unk_id=0))
    if by_normalizer:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def saved(folder, tokenizer):
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize(
    ("tokenizer", "continuing"),
    [
        (Tokenizer(models.WordPiece(WORD_PIECE)), ["##dish"]),
        (byte_level(), ["red", "dish", "."]),
        (sentence_piece(by_normalizer=False), ["<unk>", "dish"]),
        (sentence_piece(by_normalizer=True), ["<unk>", "dish"]),
    ],
    ids=["word pieces", "byte-level BPE", "SentencePiece", "SentencePiece by its normalizer"],
)
def test_pieces_that_go_on_with_a_word(tmp_path, tokenizer, continuing):
    continues = continuing_pieces(saved(tmp_path, tokenizer))
    assert len(continues) == tokenizer.get_vocab_size()
    found = {tokenizer.id_to_token(token) for token in continues.nonzero().squeeze(1).tolist()}
    assert found == set(continuing)


def test_a_mark_of_ones_own_is_read_from_the_tokenizer(tmp_path):
    model = models.WordPiece({"[UNK]": 0, "a": 1, "@@b": 2}, continuing_subword_prefix="@@")
    folder = saved(tmp_path, Tokenizer(model))
    assert continuing_pieces(folder).tolist() == [False, False, True]


def test_ids_may_have_gaps(tmp_path):
    folder = saved(tmp_path, Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 7})))
    assert continuing_pieces(folder).tolist() == [False] * 7 + [True]


def test_pieces_without_marks_tell_nothing(tmp_path):
    model = models.BPE({"a": 0, "b</w>": 1}, [], end_of_word_suffix="</w>")
    assert continuing_pieces(saved(tmp_path, Tokenizer(model))) is None
