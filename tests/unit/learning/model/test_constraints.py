"""Decoding that may write certain texts alone."""

import re

import numpy as np
import pytest

from fuseline.learning.model.constraints import Matching, OneOf
from fuseline.learning.tasks.generation import _text
from tests.support.tiny_models import rows
from tests.unit.learning.tasks.test_generation import TEXTS, generation, tokenizer, writer

BATCH = rows(8).batch(np.arange(8))
WAYS = [{"num_beams": 1}, {"num_beams": 4}, {"num_beams": 1, "do_sample": True}]


def written(constraint, seed: int, **options: object) -> list[str]:
    # Room for every text letter by letter.
    tokens = writer(generation(limit=24), seed).generate(
        BATCH, prefix_allowed_tokens_fn=constraint, **options
    )
    return [_text(tokenizer(), row) for row in tokens.tolist()]


@pytest.mark.parametrize("options", WAYS, ids=["greedy", "beams", "drawn"])
@pytest.mark.parametrize("seed", range(3))
def test_only_texts_of_the_set_are_written(options, seed):
    # One of them is the beginning of another.
    allowed = ["a red ant", "a red", "bees", "two bees fly"]
    assert set(written(OneOf(allowed, tokenizer()), seed, **options)) <= set(allowed)


def test_every_text_of_the_set_can_be_written():
    found = set()
    for seed in range(12):
        found |= set(written(OneOf(TEXTS[:3], tokenizer()), seed, num_beams=1, do_sample=True))
    assert found == set(TEXTS[:3])


def test_a_set_may_not_be_empty():
    with pytest.raises(ValueError, match=r"^OneOf: expected texts to choose from, found none"):
        OneOf([], tokenizer())


@pytest.mark.parametrize("options", WAYS, ids=["greedy", "beams", "drawn"])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_written_matches_the_pattern(options, seed):
    pattern = r"(a|two|the) (red|old) (ant|cat|bees)"
    for text in written(Matching(pattern, tokenizer()), seed, **options):
        assert re.fullmatch(pattern, text), text


def test_a_pattern_may_end_in_several_places():
    pattern = r"a( red)?"
    found = set()
    for seed in range(12):
        found |= set(written(Matching(pattern, tokenizer()), seed, num_beams=1, do_sample=True))
    assert found == {"a", "a red"}
