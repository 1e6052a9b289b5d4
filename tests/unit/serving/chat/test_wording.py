"""Words, sentences and phrases."""

import pytest

from fuseline.serving.chat.wording import PhraseList, sentences, words


def test_words_are_compared_without_marks_and_case() -> None:
    assert words("Don’t STOP, ﬁne-tune!") == ["dont", "stop", "fine", "tune"]


def test_sentences_end_at_marks_and_lines() -> None:
    assert sentences("One. Two!\n- Three 1.5\n\n") == ["One.", "Two!", "- Three 1.5"]


@pytest.mark.parametrize(
    ("text", "is_there"),
    [("Please: SPEAK, to a human!", True), ("speak to a humanoid", False), ("", False)],
)
def test_phrases_are_found_by_whole_words(text: str, is_there: bool) -> None:
    assert PhraseList(["speak to a human"]).within(text) is is_there


def test_a_text_may_be_a_phrase() -> None:
    hello = PhraseList(["hello", "good day"])
    assert hello.equals("Good day!")
    assert not hello.equals("hello there")
