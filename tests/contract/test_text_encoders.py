"""Text encoders of several architectures take part like the built-in one."""

import pytest
import torch

from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.objectives.pretraining import OBJECTIVES
from fuseline.learning.training.freezing import apply_freezing
from fuseline.learning.training.groups import parameter_groups
from fuseline.learning.training.lora import adapters
from tests.support.tiny_models import (
    VOCAB,
    classifier,
    freezing,
    objective_params,
    pretrainer,
    rows,
    training,
)

SIZES = {"vocab_size": VOCAB, "max_position_embeddings": 64, "pad_token_id": 0}
BERT_LIKE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
ENCODERS = {
    "bert": SIZES | BERT_LIKE,
    "roberta": SIZES | BERT_LIKE | {"type_vocab_size": 1},
    "distilbert": SIZES | {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
}

every_encoder = pytest.mark.parametrize("kind", ENCODERS)


def text(kind):
    return {"text_config": ENCODERS[kind] | {"model_type": kind}}


@every_encoder
@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_trains_it(kind, name):
    torch.manual_seed(0)
    objective = OBJECTIVES[name](objective_params(), None)
    output = objective(pretrainer(**text(kind)), rows().batch(range(12)))
    assert torch.isfinite(output.loss)
    assert output.count > 0


@every_encoder
def test_zero_delta_reproduces_the_plain_forward(kind):
    model, batch = classifier(**text(kind)), rows().batch(range(8))
    perturbable = Perturbable(model, batch, ["text_embedding", "image_feature"])
    with torch.no_grad():
        plain = model(**batch).logits
        perturbed = model(**perturbable.inputs(perturbable.start())).logits
    assert torch.equal(plain, perturbed)


@every_encoder
def test_its_top_layers_can_be_trained_alone(kind):
    model = classifier(**text(kind))
    apply_freezing(model, freezing("top_k", 1))
    trained = {
        name for name, p in model.named_parameters() if ".text_encoder." in name and p.requires_grad
    }
    assert trained
    assert all(".layer.1." in name for name in trained)


@every_encoder
def test_attacks_reach_the_words_beneath_its_adapters(kind):
    model, batch = classifier(**text(kind)), rows().batch(range(8))
    targets = ["q_lin", "v_lin"] if kind == "distilbert" else ["query", "value"]
    with adapters(model, freezing("lora", targets=targets), seed=0):
        perturbable = Perturbable(model, batch, ["text_embedding"])
        start = {name: zero.requires_grad_() for name, zero in perturbable.start().items()}
        logits = model(**perturbable.inputs(start)).logits
        assert torch.equal(logits, model(**batch).logits)
        (gradient,) = torch.autograd.grad(logits.square().sum(), list(start.values()))
    assert gradient.abs().sum() > 0
    assert not [name for name in model.state_dict() if "lora" in name or "base_layer" in name]


@every_encoder
def test_its_layers_have_their_own_rates(kind):
    model = classifier(**text(kind))
    groups = parameter_groups(model, set(), training(layer_decay=0.5, encoder_learning_rate=1.0))
    assert [group["lr"] for group in groups[1:]] == [1.0, 0.5, 0.25]


@every_encoder
def test_it_has_no_pooler(kind):
    assert not [name for name in classifier(**text(kind)).state_dict() if "pooler" in name]
