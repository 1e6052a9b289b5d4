"""Several texts of a row are segments that the encoder's separator parts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from fuseline.contracts import TEXT_JOINT
from fuseline.data.modalities.text.segments import encode_rows

Encoder = Callable[[list[str]], list[list[int]]]
WORDS = ["a", "b", "c", "d"]
# How tokenizers dress a text: BERT's way, RoBERTa's, without a start, without anything.
DRESSES = {
    "[CLS] $A [SEP]": ("[CLS]", "[SEP]"),
    "<s> $A </s>": ("<s>", "</s>"),
    "$A </s>": ("", "</s>"),
    "$A": ("", ""),
}


@pytest.fixture(params=DRESSES)
def dress(request: pytest.FixtureRequest) -> tuple[str, str, Tokenizer]:
    start, end = DRESSES[request.param]
    tokens = [*WORDS, *(token for token in (start, end) if token)]
    vocab = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = [(token, vocab[token]) for token in (start, end) if token]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=request.param, special_tokens=special
    )
    return start, end, tokenizer


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a b", ["a b"]),
        (f"a{TEXT_JOINT}b", ["a", "b"]),
        (f"a b{TEXT_JOINT}c{TEXT_JOINT}d", ["a b", "c", "d"]),
        ("a\nb", ["a b"]),
        (None, [""]),
    ],
)
def test_a_separator_stands_behind_each_segment(
    dress: tuple[str, str, Tokenizer], text: str | None, segments: list[str]
) -> None:
    start, end, tokenizer = dress
    expected = f"{start} " + "".join(f"{segment} {end} " for segment in segments)
    (ids,) = encode_rows([text], lambda texts: [e.ids for e in tokenizer.encode_batch(texts)])
    assert [tokenizer.id_to_token(number) for number in ids] == expected.split()


def test_each_row_keeps_its_own_segments(dress: tuple[str, str, Tokenizer]) -> None:
    _, _, tokenizer = dress

    def encode(texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokenizer.encode_batch(texts)]

    texts = [f"a{TEXT_JOINT}b", None, "c", f"d d{TEXT_JOINT}a{TEXT_JOINT}b c"]
    assert encode_rows(texts, encode) == [encode_rows([text], encode)[0] for text in texts]
    assert encode_rows([], encode) == []


@pytest.mark.parametrize(("longest", "kept"), [(9, 7), (7, 7), (6, 6), (3, 3)])
def test_a_row_is_cut_as_a_whole_and_keeps_its_last_separator(longest: int, kept: int) -> None:
    def encode(texts: list[str]) -> list[list[int]]:
        return [[100, *(ord(letter) for letter in text if letter != " "), 101] for text in texts]

    (ids,) = encode_rows([f"a b{TEXT_JOINT}c d"], encode, longest)
    whole = [100, ord("a"), ord("b"), 101, ord("c"), ord("d"), 101]
    assert ids == [*whole[: kept - 1], 101]
