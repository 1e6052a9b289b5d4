import pytest
import torch

from fuseline.attacks import build_attack
from fuseline.model.fusion import FUSIONS
from fuseline.objectives.adversarial import AdversarialObjective
from fuseline.objectives.supervised import Supervised
from fuseline.params.attack import AttackParams
from fuseline.tasks.classification import Classification
from tests.tiny import classifier, rows

TASK = Classification("label", {"labels": ["ant", "bee", "cat"]})


def objective(epsilon=0.5, kind="pgd", clean_weight=1.0, unimodal_weight=0.0):
    params = AttackParams(
        kind=kind,
        norm="l2",
        per="position",
        epsilon={"text_embedding": epsilon, "image_feature": epsilon},
        num_steps=3,
        step_size=0.5,
        random_start=False,
    )
    inner = Supervised([TASK], [1.0], 0.2, 0.1, unimodal_weight)
    return AdversarialObjective(inner, build_attack(params), clean_weight, 1.0)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_all_passes_share_their_dropout_masks(fusion):
    """In training mode, with a radius of nothing, the loss under attack is the clean loss."""
    batch = rows().batch(range(8))
    for attack_share in (0.0, 1e6):
        model = classifier(fusion).train()
        torch.manual_seed(3)
        loss = objective(1e-12, clean_weight=attack_share)(model, batch).loss
        if attack_share == 0.0:
            adversarial_only = loss
    assert torch.allclose(adversarial_only, loss, atol=1e-6)


def test_without_replay_the_masks_would_differ():
    """The test above can fail: two plain passes in training mode do differ."""
    model, batch = classifier().train(), rows().batch(range(8))
    torch.manual_seed(3)
    assert not torch.allclose(model(**batch).logits, model(**batch).logits)


def test_passes_are_counted():
    output = objective()(classifier().train(), rows().batch(range(8)))
    assert output.passes == {"forward": 4, "backward": 4}


def test_the_attack_leaves_no_gradients_behind():
    model = classifier().train()
    loss = objective()(model, rows().batch(range(8))).loss
    assert all(parameter.grad is None for parameter in model.parameters())
    loss.backward()
    assert model.heads[0].classifier.weight.grad.abs().sum() > 0


def test_the_loss_under_attack_is_above_the_clean_one():
    model, batch = classifier(), rows().batch(range(8))
    torch.manual_seed(0)
    attacked = objective(2.0, clean_weight=0.0)(model, batch).loss
    torch.manual_seed(0)
    clean = objective(2.0, clean_weight=1e9)(model, batch).loss
    assert attacked > clean


def test_what_each_modality_says_alone_counts_with_the_clean_loss():
    model, batch = classifier().train(), rows().batch(range(8))
    objective(unimodal_weight=0.5)(model, batch).loss.backward()
    assert all(
        layer.weight.grad.abs().sum() > 0 for layer in model.heads[0].experts.layers.values()
    )
