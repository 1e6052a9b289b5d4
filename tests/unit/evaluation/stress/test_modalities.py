"""Modalities missing, swapped and at odds, by models that are known to look at one alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from fuseline.evaluation.stress.modalities import (
    modalities_suite,
    partners_of_another_label,
    taken_from,
)
from fuseline.learning.tasks.classification import Classification
from tests.support.tiny_models import rows

NAMES = ["ant", "bee", "cat"]


class Looks(nn.Module):
    """Reads the label that one modality tells; without it, it says the first class."""

    def __init__(self, modality: str) -> None:
        super().__init__()
        self.modality = modality

    def forward(self, **batch: torch.Tensor) -> SimpleNamespace:
        if self.modality == "text":
            told, present = batch["input_ids"][:, 1] - 5, batch["text_mask"]
        else:
            told, present = batch["image_features"][:, 0, 0].long(), batch["image_mask"]
        logits = functional.one_hot(torch.where(present, told, 0), 3).float()
        return SimpleNamespace(logits=logits, by_task=[logits])


@pytest.fixture
def telling(context):
    """Rows whose every modality tells the label, and two models that read one each."""
    data = rows(60, modalities=("text", "image"))
    features = np.zeros_like(data.features["image"])
    features[:, 0, 0] = data.labels
    data = replace(
        data,
        input_ids=[np.array([2, 5 + label, 3]) for label in data.labels],
        features={"image": features},
    )
    return replace(
        context,
        models={"reader": Looks("text"), "viewer": Looks("image")},
        task=Classification("label", {"labels": NAMES}),
        test=data,
        base=context.base.model_copy(update={"modalities": ["text", "image"]}),
    )


def test_what_a_model_looks_at_is_what_it_misses(telling):
    found = modalities_suite(telling)
    by_text, by_image = found["reader"]["text"], found["reader"]["image"]
    assert by_text["rows"] == telling.test.text_mask.sum()
    assert by_image["rows"] == telling.test.feature_mask["image"].sum()
    assert by_text["present"]["accuracy"] == 1.0
    assert by_text["missing"]["accuracy"] < 0.5
    assert by_text["swapped"]["accuracy"] < 0.6
    assert by_image["missing"] == by_image["swapped"] == by_image["present"]
    assert found["viewer"]["image"]["missing"]["accuracy"] < 0.5
    assert found["viewer"]["text"]["missing"] == found["viewer"]["text"]["present"]


def test_contradictions_show_which_modality_a_model_follows(telling):
    for name, followed, other in (("reader", "text", "image"), ("viewer", "image", "text")):
        found = modalities_suite(telling)[name]["contradictory"]["text_against_image"]
        assert found["rows"] == (telling.test.text_mask & telling.test.feature_mask["image"]).sum()
        assert found[f"follows_{followed}"] == 1.0
        assert found[f"follows_{other}"] == found["follows_neither"] == 0.0
        assert found["right_when_they_agree"] == 1.0


def test_rows_of_one_label_contradict_nothing(telling):
    labels = np.zeros_like(telling.test.labels)
    same = replace(telling, test=replace(telling.test, labels=labels))
    found = modalities_suite(same)["reader"]["contradictory"]["text_against_image"]
    assert set(found.values()) == {0}


def test_partners_have_another_label():
    labels = np.random.default_rng(0).integers(0, 3, 40)
    one, other = partners_of_another_label(labels, 7)
    assert one.tolist() == list(range(40))
    assert (labels[one] != labels[other]).all()
    assert len(set(other.tolist())) > 20
    again = partners_of_another_label(labels, 7)
    np.testing.assert_array_equal(other, again[1])


def test_only_the_modality_that_is_asked_for_comes_from_the_others():
    data = rows(8)
    mixed = taken_from(data, "image", data.take(np.arange(8)[::-1]))
    assert mixed.input_ids is data.input_ids
    np.testing.assert_array_equal(mixed.features["image"], data.features["image"][::-1])
    mixed = taken_from(data, "text", data.take(np.arange(8)[::-1]))
    assert mixed.features is data.features
    np.testing.assert_array_equal(mixed.input_ids[0], data.input_ids[7])
