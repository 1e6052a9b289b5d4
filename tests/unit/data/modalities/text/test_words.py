import pytest

from fuseline.data.modalities.text.words import first_tokens


def test_a_token_that_holds_the_space_before_its_word():
    text = "ab cd"
    assert first_tokens(text, [(0, 0), (0, 2), (2, 4), (4, 5), (0, 0)]) == [None, 0, 1, None, None]


@pytest.mark.parametrize(
    ("text", "offsets", "expected"),
    [
        ("", [(0, 0), (0, 0)], [None, None]),
        ("  ab", [(0, 1), (1, 4)], [None, 0]),
        ("a b", [(0, 3)], [0]),
        ("a b c", [(0, 1), (4, 5)], [0, 2]),
        ("a\u00a0b\nc", [(0, 1), (2, 3), (4, 5)], [0, 1, 2]),
        ("\U0001f600", [(0, 1)] * 4, [0, None, None, None]),
    ],
)
def test_first_tokens(text, offsets, expected):
    assert first_tokens(text, offsets) == expected
