"""Text encoders of several architectures take part like the built-in one."""

import pytest
import torch

from fuseline.objectives.perturbation import Perturbable
from fuseline.objectives.pretraining import OBJECTIVES
from fuseline.params.finetune import FreezingParams
from fuseline.training.freezing import apply_freezing
from tests.tiny import VOCAB, classifier, objective_params, pretrainer, rows

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
    apply_freezing(model, FreezingParams(policy="top_k", top_k=1))
    trained = {
        name for name, p in model.named_parameters() if ".text_encoder." in name and p.requires_grad
    }
    assert trained
    assert all(".layer.1." in name for name in trained)


@every_encoder
def test_it_has_no_pooler(kind):
    assert not [name for name in classifier(**text(kind)).state_dict() if "pooler" in name]
