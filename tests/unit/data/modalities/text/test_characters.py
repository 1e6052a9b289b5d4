"""Codes of characters and of their runs."""

import pytest
import torch
from torch.nn import functional
from transformers import AutoConfig, AutoModel

from fuseline.data.modalities.text.characters import CharacterConfig, CharacterEncoder

WIDTH = 1024


def encoder(**changes):
    return CharacterEncoder(CharacterConfig(**{"vocab_size": 12, "hidden_size": WIDTH} | changes))


def mean(model, ids):
    return model(input_ids=torch.tensor([ids])).last_hidden_state.mean(1)[0]


def similarity(a, b):
    return float(functional.cosine_similarity(a, b, dim=0).detach())


def test_codes_are_the_same_whatever_the_seed():
    torch.manual_seed(1)
    first = encoder().embeddings.weight
    torch.manual_seed(2)
    assert torch.equal(first, encoder().embeddings.weight)
    assert torch.allclose(first.norm(dim=1), torch.ones(12))


def test_the_first_state_is_the_code_of_its_character():
    model = encoder()
    states = model(input_ids=torch.tensor([[3, 4, 5]])).last_hidden_state
    assert torch.equal(states[0, 0], model.embeddings.weight[3])


def test_a_run_has_the_product_of_its_turned_codes():
    """Against the formula: roll by the distance, multiply, and scale back to length 1."""
    model = encoder()
    a, b, c = model.embeddings.weight[torch.tensor([3, 4, 5])]
    pair = c * b.roll(1) * WIDTH**0.5
    triple = pair * a.roll(2) * WIDTH**0.5
    states = model(input_ids=torch.tensor([[3, 4, 5]])).last_hidden_state
    assert torch.allclose(states[0, 2], c + pair + triple, atol=1e-6)
    assert float(triple.norm().detach()) == pytest.approx(1.0, abs=1e-5)


def test_texts_are_alike_by_the_runs_that_they_share():
    model = encoder()
    text = mean(model, [3, 4, 5, 6, 7])
    ordered, turned = mean(model, [8, 3, 4, 5, 6]), mean(model, [7, 6, 5, 4, 3])
    assert similarity(text, ordered) > 0.6
    assert similarity(text, turned) < 0.5
    assert abs(similarity(text, mean(model, [8, 9, 10, 11]))) < 0.1


def test_no_longer_runs_than_asked_for():
    model = encoder(longest_run=1)
    assert similarity(mean(model, [3, 4, 5]), mean(model, [5, 4, 3])) == pytest.approx(1.0)


def test_padding_and_the_batch_change_nothing():
    model = encoder()
    alone = model(input_ids=torch.tensor([[3, 4, 5]])).last_hidden_state
    padded = torch.tensor([[3, 4, 5, 0, 0], [6, 7, 8, 9, 10]])
    mask = torch.tensor([[1, 1, 1, 0, 0], [1] * 5])
    together = model(input_ids=padded, attention_mask=mask).last_hidden_state
    assert torch.equal(alone[0], together[0, :3])


def test_word_embeddings_take_the_place_of_ids_and_have_gradients():
    model = encoder()
    ids = torch.tensor([[3, 4, 5]])
    embeds = model.get_input_embeddings()(ids).detach().requires_grad_()
    states = model(inputs_embeds=embeds).last_hidden_state
    assert torch.equal(states, model(input_ids=ids).last_hidden_state)
    states[0, 2].sum().backward()
    assert embeds.grad.abs().sum(-1).min() > 0


def test_it_is_built_again_from_its_configuration(tmp_path):
    model = encoder()
    torch.nn.init.normal_(model.embeddings.weight)
    model.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path)
    assert isinstance(again, CharacterEncoder)
    assert torch.equal(again.embeddings.weight, model.embeddings.weight)
    config = AutoConfig.for_model(**model.config.to_dict())
    assert isinstance(config, CharacterConfig)
