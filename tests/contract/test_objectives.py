"""Every pre-training objective keeps the same promises."""

import pytest
import torch

from fuseline.objectives.pretraining import OBJECTIVES, Mixture, build_objectives
from fuseline.params.pretrain import ObjectiveParams
from tests.tiny import pretrainer, rows

WEIGHTS = dict.fromkeys(OBJECTIVES, 1.0)


def params(**weights: float) -> ObjectiveParams:
    return ObjectiveParams(
        weights=weights or WEIGHTS, mlm_mask_share=0.3, masked_features_share=0.3
    )


def run(name, batch, seed=0, model=None):
    torch.manual_seed(seed)
    return OBJECTIVES[name](params())(model or pretrainer(), batch)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_loss_is_a_finite_scalar_and_guesses_are_counted(name):
    output = run(name, rows().batch(range(12)))
    assert output.loss.shape == ()
    assert torch.isfinite(output.loss)
    assert output.count > 0
    assert 0 <= output.correct <= output.count


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_reaches_the_backbone(name):
    model = pretrainer()
    run(name, rows().batch(range(12)), model=model).loss.backward()
    gradients = [p.grad for p in model.fuseline.parameters() if p.grad is not None]
    assert sum(gradient.abs().sum() for gradient in gradients) > 0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_same_random_state_gives_the_same_loss(name):
    batch = rows().batch(range(12))
    assert run(name, batch, seed=5).loss == run(name, batch, seed=5).loss


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_batch_with_nothing_to_guess_trains_on_nothing_but_runs(name):
    batch = rows().batch([0, 1])
    nothing = {"text_mask": torch.zeros(2).bool(), "image_mask": torch.zeros(2).bool()}
    if name == "nsp":
        nothing["input_ids"] = torch.full_like(batch["input_ids"], 3)
        nothing["translation_tokens"] = torch.full_like(batch["translation_tokens"], 3)
    output = run(name, batch | nothing)
    assert output.count == 0
    assert output.loss == 0
    output.loss.backward()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_labels_are_never_read(name):
    batch = rows().batch(range(12))
    assert run(name, batch).loss == run(name, batch | {"labels": batch["labels"] * 0}).loss


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_can_be_learnt(name):
    """A few steps on one batch with fixed draws lower its loss."""
    model, batch = pretrainer(), rows().batch(range(12))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = run(name, batch, model=model).loss.item()
    for _ in range(15):
        loss = run(name, batch, model=model).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < first


def test_mlm_leaves_special_tokens_and_asks_at_least_one_token_of_each_text():
    model, batch = pretrainer(), rows().batch(range(12))
    chosen = OBJECTIVES["mlm"](params())._choose(model, batch)
    special = torch.isin(batch["input_ids"], torch.tensor(model.config.special_token_ids))
    assert not (chosen & special).any()
    assert (chosen.any(1) == batch["text_mask"]).all()


def test_no_objective_left_is_an_error():
    with pytest.raises(ValueError, match=r"pretrain\.objectives\.weights: no objective"):
        build_objectives(params(itm=1.0, contrastive=1.0), ["text"])


def test_translations_of_a_group_are_pairs():
    """Rows 0 and 1 share a group and differ in language: each is the other's second segment."""
    from fuseline.objectives.nsp import _pairs

    data = rows(12)
    batch = data.batch([0, 5])
    first, second = _pairs(pretrainer(), batch)
    assert data.translations[0] == 1
    assert first[0].tolist() == data.input_ids[0][1:-1].tolist()
    assert second[0].tolist() == data.input_ids[1][1:-1].tolist()
    assert second[1].tolist() == data.input_ids[4][1:-1].tolist()


def test_without_translations_a_text_is_halved():
    from fuseline.objectives.nsp import _pairs

    batch = rows(12).batch([0])
    del batch["translation_tokens"]
    first, second = _pairs(pretrainer(), batch)
    whole = [*first[0], *second[0]]
    assert whole == rows(12).input_ids[0][1:-1].tolist()
    assert len(first[0])


def test_the_mixture_draws_by_weight():
    drawn = []

    def objective(name):
        return lambda *_: drawn.append(name)

    torch.manual_seed(0)
    mixture = Mixture({n: objective(n) for n in "ab"}, {"a": 3.0, "b": 1.0})
    for _ in range(400):
        mixture(None, {})
    assert 0.68 < drawn.count("a") / len(drawn) < 0.82
