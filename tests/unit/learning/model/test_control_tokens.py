"""Numbers and embeddings of control tokens."""

import pytest
import torch
from torch import nn

from fuseline.learning.model.control_tokens import ControlledEmbedding, ControlTokens

KNOWN = {"length": ["long", "short"], "language": ["de", "en", "fr"]}


def test_numbers_by_hand():
    tokens = ControlTokens(KNOWN)
    numbers = tokens.numbers({"language": ["fr", None, "de"], "length": "short"}, 3)
    assert numbers.tolist() == [[3, 2], [0, 2], [1, 2]]
    assert tokens.count == 7
    assert tokens.tokens(numbers).tolist() == [[3, 6], [0, 6], [1, 6]]


def test_the_order_of_controls_plays_no_part():
    asked = {"length": "long", "language": "fr"}
    other = ControlTokens(dict(reversed(KNOWN.items())))
    assert torch.equal(ControlTokens(KNOWN).numbers(asked, 2), other.numbers(asked, 2))


def test_what_is_left_out_may_be_anything():
    tokens = ControlTokens(KNOWN)
    assert tokens.numbers({}, 2).tolist() == [[0, 0], [0, 0]]
    assert torch.equal(tokens.numbers({"length": None}, 2), tokens.numbers({}, 2))


def test_without_controls_there_is_nothing_to_number():
    tokens = ControlTokens({})
    assert tokens.tokens(tokens.numbers({}, 3)).shape == (3, 0)
    message = r"^controls: expected none, as this model was trained; found 'length'\.$"
    with pytest.raises(ValueError, match=message):
        tokens.numbers({"length": "short"}, 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"lenght": "short"}, r"expected one of language, length, .* 'lenght'\. Did you mean"),
        ({"length": "shortt"}, r"expected length to be one of long, short; found 'shortt'\."),
        ({"length": ["short"]}, r"length has 1 values, but the batch 2 rows\. Give one"),
    ],
)
def test_what_is_not_known_is_refused(asked, message):
    with pytest.raises(ValueError, match=f"^controls: .*{message}"):
        ControlTokens(KNOWN).numbers(asked, 2)


def test_words_are_embedded_as_before_and_controls_beyond_them():
    words = nn.Embedding(5, 3, padding_idx=0)
    embedding = ControlledEmbedding(words, 4)
    found = embedding(torch.tensor([[4, 5, 8]]))
    assert embedding.weight is words.weight
    torch.testing.assert_close(found[0, 0], words.weight[4])
    torch.testing.assert_close(found[0, 1:], embedding.controls.weight[[0, 3]])
    found[0, 1].sum().backward()
    assert not embedding.weight.grad.any(), "no word learns from a control token"
