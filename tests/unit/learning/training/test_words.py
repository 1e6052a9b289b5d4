"""Training on the words that occur is training, but for what weight decay does to the others."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.training.words import OccurringWords, occurring_words
from tests.support.tiny_models import classifier, rows

TASK = Classification("label", {"labels": ["ant", "bee", "cat"]})


def steps(model, data, num_steps: int = 3) -> list[float]:
    """Losses of a few steps without weight decay."""
    objective = Supervised([TASK], [1.0], 0.0, 0.0, 1.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    found = []
    for _ in range(num_steps):
        loss = objective(model, data.batch(range(len(data)))).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def test_weights_are_those_of_training_all_words():
    data, whole, some = rows(9), classifier(), classifier()
    expected = steps(whole, data)
    with occurring_words(some, data):
        assert len(some.get_input_embeddings().weight) < len(whole.get_input_embeddings().weight)
        assert steps(some, data) == expected
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(some.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_words_that_do_not_occur_stay_and_the_model_is_as_it_was():
    data, model = rows(9), classifier()
    embeddings = model.get_input_embeddings()
    before, names = embeddings.weight.detach().clone(), list(model.state_dict())
    with occurring_words(model, data):
        assert list(model.state_dict()) == names
        steps(model, data)
    assert model.get_input_embeddings() is embeddings
    assert list(model.state_dict()) == names
    moved = (embeddings.weight != before).any(-1).nonzero().flatten().tolist()
    occurring = {int(word) for ids in data.input_ids for word in ids}
    assert moved
    assert set(moved) <= occurring


def test_an_end_before_its_time_gives_the_words_back():
    data, model = rows(9), classifier()
    embeddings = model.get_input_embeddings()
    with pytest.raises(KeyboardInterrupt), occurring_words(model, data):
        raise KeyboardInterrupt
    assert model.get_input_embeddings() is embeddings


def test_a_word_that_does_not_occur_is_an_error_not_another_word():
    words = OccurringWords(nn.Embedding(10, 4), torch.tensor([2, 5]))
    assert words(torch.tensor([[2, 5]])).shape == (1, 2, 4)
    with pytest.raises(IndexError):
        words(torch.tensor([3]))


def test_frozen_embeddings_and_models_without_text_are_left_alone():
    frozen = classifier()
    frozen.get_input_embeddings().weight.requires_grad_(False)
    with occurring_words(frozen, rows(9)):
        assert type(frozen.get_input_embeddings()) is nn.Embedding
    pictures = classifier(modalities=("image",))
    with occurring_words(pictures, rows(9, modalities=("image",))):
        assert pictures.fuseline.text_encoder is None
