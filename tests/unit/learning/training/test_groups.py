"""Learning rates by part of the model."""

import pytest
from transformers import Trainer

from fuseline.errors import ConfigError
from fuseline.learning.training.freezing import apply_freezing
from fuseline.learning.training.groups import parameter_groups
from fuseline.learning.training.lora import adapters
from tests.support.tiny_models import classifier, freezing, training

LAYER = "fuseline.text_encoder.encoder.layer."


def rates(model, **changes):
    """Learning rate by name of the parameter."""
    groups = parameter_groups(model, set(), training(learning_rate=7.0, **changes))
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    return {name: rate[id(p)] for name, p in model.named_parameters() if p.requires_grad}


def test_without_decay_the_groups_are_head_and_encoder_each_without_and_with_weight_decay():
    model, params = classifier(), training()
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    named = list(model.named_parameters())
    expected = [
        [p for n, p in named if (".text_encoder." in n, n in decayed) == key]
        for key in ((False, False), (False, True), (True, False), (True, True))
    ]
    groups = parameter_groups(model, decayed, params)
    assert [list(map(id, group["params"])) for group in groups] == [
        list(map(id, parameters)) for parameters in expected
    ]
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        (3e-3, 0.0), (3e-3, 0.01), (1e-3, 0.0), (1e-3, 0.01)
    ]  # fmt: skip


def test_every_layer_down_to_the_embeddings_is_slower_by_a_factor():
    for name, rate in rates(classifier(), encoder_learning_rate=1.0, layer_decay=0.5).items():
        if name.startswith(f"{LAYER}1."):
            assert rate == 1.0, name
        elif name.startswith(f"{LAYER}0."):
            assert rate == 0.5, name
        elif ".text_encoder.embeddings." in name:
            assert rate == 0.25, name
        else:
            assert ".text_encoder." not in name
            assert rate == 7.0, name


def test_groups_go_from_the_top_layer_down():
    params = training(encoder_learning_rate=1.0, layer_decay=0.5)
    groups = parameter_groups(classifier(), set(), params)
    assert [group["lr"] for group in groups] == [3e-3, 1.0, 0.5, 0.25]


def test_adapters_learn_like_a_head_in_every_layer():
    model = classifier()
    with adapters(model, freezing("lora"), seed=0):
        apply_freezing(model, freezing("lora"))
        found = rates(model, encoder_learning_rate=1.0, layer_decay=0.5)
    assert [name for name in found if ".lora_A." in name]
    assert set(found.values()) == {7.0}


def test_a_model_without_text_has_one_rate():
    found = rates(classifier(modalities=["image"]), layer_decay=0.5)
    assert set(found.values()) == {7.0}


def test_layers_of_an_unknown_name_are_refused():
    text = {"model_type": "albert", "vocab_size": 50, "embedding_size": 8, "hidden_size": 16,
            "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}  # fmt: skip
    model = classifier(text_config=text)
    with pytest.raises(ConfigError, match=r"training\.layer_decay: found no layers named"):
        rates(model, layer_decay=0.9)
    assert rates(model)
