"""Noise on the text reaches the model, row by row, and nothing but the text."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fuseline.evaluation.stress.text import noisy, text_suite
from fuseline.evaluation.stress.text_noises import CHARACTER_NOISES, KEYBOARD, LOOK_ALIKES, synonyms
from fuseline.evaluation.stress.word_neighbours import whole_words, word_neighbours
from fuseline.learning.model import FuselineProcessor
from tests.support import tasks


class Embedded(nn.Module):
    """Word embeddings alone."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(weight)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding


def test_each_kind_of_noise_has_figures_of_its_own(context):
    """Standing against noise in embeddings says nothing of text: see every kind apart."""
    found = text_suite(context)
    for figures in found.values():
        assert set(figures) == {"clean", *context.params.text.noises}
        for name in context.params.text.noises:
            assert [point["strength"] for point in figures[name]] == context.params.text.strengths
            for point in figures[name]:
                assert {"accuracy", "macro_f1"} == set(point["alone"])
                assert {"accuracy", "macro_f1", "changed_share"} <= set(point)


def test_noise_changes_the_tokens_and_leaves_the_other_modalities(context):
    noise = CHARACTER_NOISES["substitute"]
    changed = context.with_texts(noisy(context, "substitute", noise, 0.5))
    pairs = list(zip(changed.input_ids, context.test.input_ids, strict=True))
    assert np.mean([one.tolist() != other.tolist() for one, other in pairs]) > 0.9
    assert changed.features is context.test.features
    assert changed.labels is context.test.labels


def test_strength_zero_scores_as_the_clean_text(context):
    text = context.params.text.model_copy(update={"strengths": [0.0]})
    found = text_suite(replace(context, params=context.params.model_copy(update={"text": text})))
    for figures in found.values():
        clean = figures.pop("clean")
        for (point,) in figures.values():
            assert point == {"strength": 0.0, "changed_share": 0.0, **clean}


def test_a_row_is_the_same_whatever_rows_stand_beside_it(context):
    noise = CHARACTER_NOISES["insert"]
    whole = dict(zip(context.test.example_ids, noisy(context, "insert", noise, 0.4), strict=True))
    rows = np.arange(len(context.test))[::-2]
    fewer = replace(context, test=context.test.take(rows))
    texts = noisy(fewer, "insert", noise, 0.4)
    assert texts == [whole[example_id] for example_id in fewer.test.example_ids]
    other = noisy(replace(context, seed=context.seed + 1), "insert", noise, 0.4)
    assert other != [whole[example_id] for example_id in context.test.example_ids]


def test_a_row_without_text_stays_without(context):
    found = noisy(context, "delete", lambda text, *_: text, 0.4)
    assert found == context.texts
    without = replace(context)
    without.__dict__["texts"] = [None, *context.texts[1:]]
    assert noisy(without, "delete", CHARACTER_NOISES["delete"], 0.4)[0] is None


def test_tags_follow_their_words(tmp_path, context):
    task, data, model = tasks.made("token_classification")
    processor = FuselineProcessor(tasks.tokenizer(), max_length_tokens=64)
    cells = tasks.cells("token_classification")
    tagged = replace(
        context,
        models={"finetuned": model},
        task=task,
        test=data,
        processor=processor,
        examples=tmp_path,
        base=context.base.model_copy(update={"modalities": ["text", "image"]}),
    )
    tagged.__dict__.update(texts=list(cells.texts), _tags=list(cells.values))
    noise = CHARACTER_NOISES["insert"]
    changed = tagged.with_texts(noisy(tagged, "insert", noise, 0.5))
    asked, before = (one.labels_of(task.key) != -100 for one in (changed, data))
    assert changed.lengths.sum() > data.lengths.sum()
    np.testing.assert_array_equal(asked.sum(1), before.sum(1))
    found = text_suite(tagged)["finetuned"]
    assert "whitespace" not in found
    assert all("right" in point for point in found["insert"])


def test_neighbours_are_the_nearest_whole_words():
    vocabulary = {"cold": 0, "cool": 1, "hot": 2, "far": 3}
    weight = torch.tensor([[1.0, 0.0], [9.0, 1.0], [-1.0, 0.1], [0.0, 1.0], [1.0, 0.0]])
    found = word_neighbours(Embedded(weight), vocabulary, ["cold", "unknown"], 2)
    assert found == {"cold": ["cool", "far"]}
    assert word_neighbours(Embedded(weight), {"cold": 0}, ["cold"], 2) == {}


def test_pieces_and_special_tokens_are_no_words():
    words = whole_words(tasks.tokenizer())
    assert set(tasks.WORDS) <= set(words)
    assert not any("#" in word or "[" in word for word in words)
    tokenizer = tasks.tokenizer()
    assert all(tokenizer.convert_ids_to_tokens(token) == word for word, token in words.items())


def test_a_synonym_takes_the_place_of_the_whole_word():
    found = synonyms("A cold day, cold!", 1.0, random.Random(0), {"cold": ["cool"]})
    assert found == "A cool day, cool!"


@pytest.mark.parametrize(("key", "near"), [("g", "fhtyvb"), ("q", "wa"), ("p", "ol"), ("M", "NJK")])
def test_neighbours_on_the_keyboard(key, near):
    assert set(KEYBOARD[key]) == set(near)


def test_look_alikes_are_other_letters_of_the_same_case():
    assert len(LOOK_ALIKES) == 28
    for letter, double in LOOK_ALIKES.items():
        assert letter.isascii()
        assert not double.isascii()
        assert double.isalpha()
        assert letter.isupper() == double.isupper()
