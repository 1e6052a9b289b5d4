"""Hard negatives of matching: similar media, never a true match."""

import pytest
import torch

from fuseline.learning.objectives import itm
from fuseline.learning.objectives.itm import ImageTextMatching
from fuseline.learning.objectives.matching import draw_negative, mismatched
from tests.support.tiny_models import objective_params, pretrainer, rows


def objective(negatives):
    return ImageTextMatching(objective_params(itm_negatives=negatives), None)


def confident():
    """A model whose similarities differ much."""
    model = pretrainer()
    with torch.no_grad():
        model.logit_scale.fill_(10.0)
        for head in model.contrastive_heads.values():
            head.weight.mul_(50)
    return model


@pytest.fixture
def draws(monkeypatch):
    """Allowed columns, similarities and drawn columns of every batch from here on."""
    seen = []

    def record(allowed, logits=None):
        drawn, has_one = draw_negative(allowed, logits)
        seen.append((allowed, logits, drawn, has_one))
        return drawn, has_one

    monkeypatch.setattr(itm, "draw_negative", record)
    return seen


def test_hard_negatives_are_similar_and_never_a_match(draws):
    model, batch = confident(), rows(40).batch(range(40))
    batch["input_ids"][7] = batch["input_ids"][0]
    batch["image_features"][9] = batch["image_features"][0]
    for seed in range(10):
        torch.manual_seed(seed)
        objective("hard")(model, batch)
    ranks = []
    for allowed, similarities, drawn, has_one in draws:
        assert torch.equal(allowed, mismatched(batch) & batch["image_mask"])
        assert allowed[torch.arange(40), drawn][has_one].all()
        assert not {7, 9, 1} & {int(drawn[0])}
        better = (similarities > similarities.gather(1, drawn.unsqueeze(1))) & allowed
        ranks.append(better.sum(1).float()[batch["text_mask"]].mean())
    assert torch.stack(ranks).mean() < 5, "drawn evenly it would be about 14"


def test_similarities_are_those_of_contrast(draws):
    model, batch = confident(), rows(12).batch(range(12))
    objective("hard")(model, batch)
    output = model(**batch)
    vectors = [model.contrastive_vectors(output, name) for name in ("text", "image")]
    similarities = draws[0][1]
    assert torch.allclose(similarities, 100.0 * vectors[0] @ vectors[1].T, atol=1e-4)
    assert not similarities.requires_grad


def test_random_negatives_look_at_no_vectors(draws):
    output = objective("random")(pretrainer(), rows(12).batch(range(12)))
    assert draws[0][1] is None
    assert output.passes == {}


def test_the_pass_for_the_similarities_is_counted(monkeypatch):
    model, calls = pretrainer(), []
    forward = type(model).forward
    monkeypatch.setattr(
        type(model), "forward", lambda self, **inputs: calls.append(1) or forward(self, **inputs)
    )
    output = objective("hard")(model, rows(12).batch(range(12)))
    assert len(calls) == 1 + output.passes["forward"] == 2


def test_gradients_survive_the_pass_without_them():
    """Half-precision copies of the weights made without a graph are not the ones trained on."""
    model = pretrainer()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective("hard")(model, rows(12).batch(range(12))).loss
    loss.backward()
    weights = [p for n, p in model.fuseline.text_encoder.named_parameters() if "query.weight" in n]
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in weights)
