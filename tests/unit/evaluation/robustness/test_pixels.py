"""Attacks on pixels reach the model through its frozen encoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fuseline.data.dataset import PIXELS
from fuseline.errors import ContractError
from fuseline.evaluation.robustness.pixels import PixelSiege
from fuseline.evaluation.robustness.target import Target, goal_of
from fuseline.learning.attacks import build_attack
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.tasks.classification import Classification
from fuseline.params.attack import PIXEL_SPACE, PixelAttackParams
from fuseline.params.evaluate import AuditParams, PixelRobustnessParams, RobustnessParams
from fuseline.pipeline.parts import Parts
from tests.support.evaluation_params import AUDIT
from tests.support.picture_models import SIDE, model, table
from tests.support.tiny_models import rows


def attack(**changes: object) -> PixelAttackParams:
    values: dict[str, object] = {
        "kind": "pgd",
        "norm": "linf",
        "per": "example",
        "epsilon": {PIXEL_SPACE: 8.0},
        "num_steps": 4,
        "step_size": 0.5,
        "random_start": True,
    }
    return PixelAttackParams.model_validate(values | changes)


def pictured(count: int = 6):
    """A batch with drawn pictures, whose features are stored as extraction stores them."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 3, SIDE, SIDE), generator=generator).float()
    batch = rows(count).batch(range(count))
    with torch.no_grad():
        batch["image_features"] = model().fuseline.encode_image(pixels)
    return batch | {PIXELS: pixels}


def test_a_zero_delta_gives_the_logits_of_pictures_and_of_stored_features():
    """The encoder computes the same in both, so that not even rounding differs."""
    net, batch = model(), pictured()
    perturbable = Perturbable(net, batch, [PIXEL_SPACE])
    stored = {name: value for name, value in batch.items() if name != PIXELS}
    with torch.no_grad():
        found = net(**perturbable.inputs(perturbable.start())).logits
        assert torch.equal(found, net(**stored).logits)
        assert torch.equal(found, net(**stored, pixel_values=batch[PIXELS]).logits)


def test_small_gradients_pass_the_rounding_to_float16():
    """Through `half` they would come out as zero."""
    batch = pictured()
    perturbable = Perturbable(model(), batch, [PIXEL_SPACE])
    delta = perturbable.start()[PIXEL_SPACE].requires_grad_()
    features = perturbable.inputs({PIXEL_SPACE: delta})["image_features"]
    (1e-9 * features).sum().backward()
    moves = batch["image_mask"]
    assert (delta.grad[moves] != 0).any(-1).all()


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("kind", ["pgd", "apgd", "random_search"])
def test_pixels_stay_pixels(kind, norm):
    net, batch = model(), pictured()
    perturbable = Perturbable(net, batch, [PIXEL_SPACE])
    built = build_attack(attack(kind=kind, norm=norm, epsilon={PIXEL_SPACE: 100.0}))
    deltas = built.perturb(
        lambda d: net(**perturbable.inputs(d)).logits.var(-1),
        perturbable.start(),
        perturbable.masks(),
        bounds=perturbable.bounds(),
        generator=torch.Generator().manual_seed(0),
    )
    pixels = batch[PIXELS].flatten(1).unsqueeze(1) + deltas[PIXEL_SPACE]
    assert pixels.min() >= 0.0
    assert pixels.max() <= 255.0
    lengths, moves = built.lengths(deltas[PIXEL_SPACE], perturbable.masks()[PIXEL_SPACE])
    assert lengths.max() <= 100.0 * (1 + 1e-6)
    assert (deltas[PIXEL_SPACE][~batch["image_mask"]] == 0).all()
    assert moves[:, 0].equal(batch["image_mask"])


def figures(net, goal, data, folder, params, audited=None) -> dict:
    return PixelSiege(
        net, goal, data, folder, params, 0, "fp32", parts=Parts(None), audited=audited
    ).figures()


@pytest.fixture
def pictures(tmp_path):
    return table(tmp_path / "examples", 12)


def test_a_row_that_was_wrong_before_is_not_robust(pictures, monkeypatch):
    """Though the attack may happen to put it right."""
    folder, data = pictures
    net, task = model(), Classification("label", {"labels": ["ant", "bee", "cat"]})
    params = PixelRobustnessParams(max_rows=4, batch_size=4, attack=attack())
    answers = iter([torch.tensor([True, True, False, False]), torch.tensor([False] * 3 + [True])])
    monkeypatch.setattr(Target, "fallen", lambda *_: next(answers))
    found = figures(net, goal_of(task), data, folder, params)
    assert (found["accuracy"], found["robust_accuracy"]) == (0.5, 0.25)
    assert found["attack_success_rate"] == 0.5


def test_the_attack_on_pictures_is_measured(pictures):
    folder, data = pictures
    net, task = model(), Classification("label", {"labels": ["ant", "bee", "cat"]})
    params = PixelRobustnessParams(max_rows=7, batch_size=4, attack=attack())
    found = figures(net, goal_of(task), data, folder, params)
    assert found["rows"] == 7
    assert found["max_delta_norm"] == pytest.approx(8.0)
    assert 0.0 <= found["robust_accuracy"] <= found["accuracy"] <= 1.0
    assert found["mean_feature_shift"] > 0.0
    again = figures(net, goal_of(task), data, folder, params)
    assert again == found


@pytest.mark.parametrize("gate", ["report", "fail"])
def test_the_attack_on_pictures_is_audited_as_the_other_is(pictures, gate):
    """One of a tiny step leaves rows standing at every scale, where none should: of rows with
    nothing but a picture."""
    folder, data = pictures
    data = replace(data, text_mask=np.zeros(len(data), dtype=bool))
    net, task = model(), Classification("label", {"labels": ["ant", "bee", "cat"]})
    weak = attack(num_steps=1, step_size=1e-6, random_start=False)
    params = PixelRobustnessParams(max_rows=12, batch_size=4, attack=weak)
    audit = AuditParams.model_validate(AUDIT | {"gate": gate, "black_box_queries": 2})
    audited = RobustnessParams.model_construct(scales=[1.0, 2.0], audit=audit)
    if gate == "fail":
        with pytest.raises(ContractError, match=r"checks of the attack failed:\n.*falls_to_chance"):
            figures(net, goal_of(task), data, folder, params, audited)
        return
    found = figures(net, goal_of(task), data, folder, params, audited)
    assert 0 < found["audit"]["rows"] <= 4
    assert not found["audit"]["checks"]["falls_to_chance"]["passed"]
    assert not found["audit"]["passed"]


def test_rows_with_text_need_not_fall_to_pictures(pictures):
    folder, data = pictures
    net, task = model(), Classification("label", {"labels": ["ant", "bee", "cat"]})
    params = PixelRobustnessParams(max_rows=12, batch_size=4, attack=attack())
    audit = AuditParams.model_validate(AUDIT | {"black_box_queries": 2})
    audited = RobustnessParams.model_construct(scales=[1.0, 2.0], audit=audit)
    found = figures(net, goal_of(task), data, folder, params, audited)["audit"]
    assert "monotone" in found["checks"]
    assert "falls_to_chance" not in found["checks"]
    assert found["left_out"]["falls_to_chance"].startswith("The attack leaves text as it was")
