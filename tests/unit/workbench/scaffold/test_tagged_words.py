"""Texts and the tags of their words are told by their numbers."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fuseline.workbench.scaffold.columns import guess_columns
from fuseline.workbench.scaffold.guess import Guess
from fuseline.workbench.scaffold.profile import Profile

ROWS = 30
RNG = random.Random(3)
WORDS = [[f"w{RNG.randrange(500)}" for _ in range(RNG.randrange(4, 12))] for _ in range(ROWS)]
TAGS = [[RNG.choice(("O", "O", "B-place")) for _ in words] for words in WORDS]


def guesses(**columns: list[Any]) -> dict[str, Guess]:
    profiles = [Profile(name, cells) for name, cells in columns.items()]
    return {guess.column: guess for guess in guess_columns(profiles, None)}


@pytest.mark.parametrize("tags", [[" ".join(some) for some in TAGS], TAGS])
def test_a_tag_for_each_word_is_learnt(tags: list[Any]) -> None:
    texts = [" ".join(words) for words in WORDS]
    found = guesses(sentence=texts, remark=texts[::-1], ner=tags)
    fields = {name: guess.field for name, guess in found.items()}
    # Tags name the words of one text.
    assert fields == {"sentence": "text", "remark": None, "ner": "target:tags"}


def test_lists_of_words_are_told_how_to_be_learnt() -> None:
    numbers = [[int(tag == "O") for tag in some] for some in TAGS]
    found = guesses(tokens=WORDS, ner_tags=numbers)
    assert [guess.field for guess in found.values()] == [None, None]
    assert all("target:tags" in guess.instead for guess in found.values())


def test_names_of_a_set_are_no_tags() -> None:
    texts = [" ".join(words) for words in WORDS]
    found = guesses(text=texts, tags=[RNG.choice(("red", "red blue", "blue")) for _ in texts])
    assert found["tags"].field == "target:categories"
