"""Noises on texts: what holds whatever the text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseline.evaluation.stress.text_noises import (
    CHARACTER_NOISES,
    look_alikes,
    swap,
    with_neighbours,
)

# A Latin word, one of another script, digits, signs, several kinds of white space, an emoji of
# several code points.
TEXTS = st.text(st.sampled_from("abcXYZéßжю中7.,!\n\t  ‍👩"), max_size=40)
STRENGTHS = st.floats(0.0, 1.0)
SEEDS = st.integers(0, 1000)
NEIGHBOURS = {"a": ["abc", "x"], "abc": ["b"]}
NOISES = with_neighbours(NEIGHBOURS)
every_noise = pytest.mark.parametrize("name", NOISES)


@every_noise
@given(TEXTS, STRENGTHS, SEEDS)
def test_the_same_seed_gives_the_same_text(name, text, strength, seed):
    noise = NOISES[name]
    again = noise(text, strength, random.Random(seed))
    assert noise(text, strength, random.Random(seed)) == again


@every_noise
@given(TEXTS, SEEDS)
def test_without_strength_nothing_changes(name, text, seed):
    assert NOISES[name](text, 0.0, random.Random(seed)) == text


@every_noise
@given(TEXTS, STRENGTHS, SEEDS)
def test_a_text_keeps_a_character_that_is_not_white_space(name, text, strength, seed):
    assert bool(NOISES[name](text, strength, random.Random(seed)).strip()) == bool(text.strip())


@pytest.mark.parametrize("name", [name for name in NOISES if name != "whitespace"])
@given(TEXTS, STRENGTHS, SEEDS)
def test_words_keep_their_number(name, text, strength, seed):
    assert len(NOISES[name](text, strength, random.Random(seed)).split()) == len(text.split())


@pytest.mark.parametrize("name", ["swap", "substitute", "keyboard", "look_alikes"])
@given(TEXTS, STRENGTHS, SEEDS)
def test_the_length_stays(name, text, strength, seed):
    assert len(NOISES[name](text, strength, random.Random(seed))) == len(text)


@given(TEXTS, STRENGTHS, SEEDS)
def test_swapped_characters_stay_those_of_the_text(text, strength, seed):
    assert sorted(swap(text, strength, random.Random(seed))) == sorted(text)


@given(TEXTS, STRENGTHS, SEEDS)
def test_white_space_noise_leaves_every_other_character(text, strength, seed):
    noisy = CHARACTER_NOISES["whitespace"](text, strength, random.Random(seed))
    assert "".join(noisy.split()) == "".join(text.split())


@given(st.text(st.sampled_from("acehijlopsxyABCEH"), min_size=1, max_size=20), SEEDS)
def test_at_full_strength_no_letter_with_a_double_is_left(text, seed):
    noisy = look_alikes(text, 1.0, random.Random(seed))
    assert not set(noisy) & set(text)
    assert not any(letter.isascii() for letter in noisy)


@given(st.sampled_from(["insert", "delete", "substitute"]), SEEDS)
def test_the_share_of_changed_characters_is_the_strength_to_one_character(name, seed):
    text, strength = "ab" * 20 + " " + "cd" * 20, 0.25
    noisy = NOISES[name](text, strength, random.Random(seed))
    changed = {
        "insert": len(noisy) - len(text),
        "delete": len(text) - len(noisy),
        "substitute": sum(one != other for one, other in zip(noisy, text, strict=False)),
    }
    assert changed[name] in (20, 21)
