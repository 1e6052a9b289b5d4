"""Our attacks beside those of an independent library, Foolbox, on one model."""

from __future__ import annotations

import foolbox
import numpy as np
import pytest
import torch
from torch.nn import functional

from fuseline.data.dataset import LABELS
from fuseline.learning.attacks import build_attack
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.params.attack import AttackParams
from tests.support.tiny_models import classifier, rows

SPACE = "image_feature"
NUM_ROWS, NUM_STEPS, STEP_SIZE = 240, 20, 0.1
# Foolbox wants bounds; features have none.
BOUNDS = (-1e4, 1e4)


@pytest.fixture(scope="module")
def trained():
    """A model that tells most rows apart, and a batch of rows that all have a picture."""
    model, data = classifier(), rows(NUM_ROWS)
    data.feature_mask["image"][:] = True
    batch = data.batch(np.arange(NUM_ROWS))
    # Classes overlap, so that radii differ from row to row.
    noise = torch.Generator().manual_seed(3)
    features = batch["image_features"]
    batch["image_features"] = features + 1.5 * torch.randn(features.shape, generator=noise)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        functional.cross_entropy(model(**batch).logits, batch[LABELS]).backward()
        optimizer.step()
    return model.requires_grad_(False), batch


def params(kind: str, norm: str, epsilon: float) -> AttackParams:
    return AttackParams(
        kind=kind,
        norm=norm,
        per="example",
        epsilon={SPACE: epsilon},
        num_steps=NUM_STEPS,
        step_size=STEP_SIZE,
        random_start=False,
    )


def ours(trained, kind: str, norm: str, epsilon: float) -> torch.Tensor:
    """Perturbed features (N, P, D)."""
    model, batch = trained
    perturbable = Perturbable(model, batch, [SPACE])

    def losses(deltas):
        logits = model(**perturbable.inputs(deltas)).logits
        return functional.cross_entropy(logits, batch[LABELS], reduction="none")

    attack = build_attack(params(kind, norm, epsilon))
    deltas = attack.perturb(losses, perturbable.start(), perturbable.masks())
    return batch["image_features"] + deltas[SPACE]


def theirs(trained, attack, epsilon: float) -> torch.Tensor:
    model, batch = trained

    class OnFeatures(torch.nn.Module):
        def forward(self, features):
            return model(**batch | {"image_features": features}).logits

    wrapped = foolbox.PyTorchModel(OnFeatures().eval(), bounds=BOUNDS, device="cpu")
    criterion = foolbox.criteria.Misclassification(batch[LABELS])
    return attack.run(wrapped, batch["image_features"], criterion, epsilon=epsilon)


def accuracy(trained, features: torch.Tensor) -> float:
    model, batch = trained
    logits = model(**batch | {"image_features": features}).logits
    return float((logits.argmax(-1) == batch[LABELS]).float().mean())


EPSILONS = {"linf": [0.2, 0.4, 0.8], "l2": [1.0, 2.0, 4.0]}
# With a relative step Foolbox scales it by epsilon in its own way: it is given as a length.
PGD = {
    "linf": foolbox.attacks.LinfProjectedGradientDescentAttack,
    "l2": foolbox.attacks.L2ProjectedGradientDescentAttack,
}
ONE_STEP = {
    "linf": foolbox.attacks.LinfFastGradientAttack,
    "l2": foolbox.attacks.L2FastGradientAttack,
}


@pytest.mark.parametrize(("norm", "epsilon"), [(n, e) for n in EPSILONS for e in EPSILONS[n]])
def test_pgd_reaches_the_robust_accuracy_of_an_independent_library(trained, norm, epsilon):
    library = PGD[norm](abs_stepsize=STEP_SIZE * epsilon, steps=NUM_STEPS, random_start=False)
    found = accuracy(trained, ours(trained, "pgd", norm, epsilon))
    expected = accuracy(trained, theirs(trained, library, epsilon))
    assert abs(found - expected) <= 0.01


@pytest.mark.parametrize("norm", EPSILONS)
def test_the_comparison_is_of_models_that_fall_in_part(trained, norm):
    """Else it would hold of any two attacks."""
    clean = accuracy(trained, trained[1]["image_features"])
    robust = [accuracy(trained, ours(trained, "pgd", norm, e)) for e in EPSILONS[norm]]
    assert clean > 0.8
    assert any(0.1 < share < clean - 0.1 for share in robust)


@pytest.mark.parametrize("norm", EPSILONS)
def test_fgm_is_the_fast_gradient_attack_of_an_independent_library(trained, norm):
    epsilon = EPSILONS[norm][1]
    library = theirs(trained, ONE_STEP[norm](random_start=False), epsilon)
    torch.testing.assert_close(ours(trained, "fgm", norm, epsilon), library, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("norm", "epsilon"), [(n, e) for n in EPSILONS for e in EPSILONS[n]])
def test_apgd_is_not_weaker_than_the_library_s_pgd(trained, norm, epsilon):
    library = PGD[norm](abs_stepsize=STEP_SIZE * epsilon, steps=NUM_STEPS, random_start=False)
    found = accuracy(trained, ours(trained, "apgd", norm, epsilon))
    assert found <= accuracy(trained, theirs(trained, library, epsilon)) + 0.01
