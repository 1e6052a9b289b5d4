"""A model that holds the top of its image encoder."""

import pytest
import torch

from fuseline.errors import ConfigError
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.objectives.pretraining import OBJECTIVES
from fuseline.learning.prompting.fitting import open_for_training
from fuseline.learning.training.freezing import apply_freezing
from fuseline.learning.training.groups import IMAGE_TOP, parameter_groups
from fuseline.learning.training.lora import adapters
from tests.support.models_with_image_layers import (
    DIM,
    GRID,
    SIDE,
    topped_batch,
    topped_classifier,
    topped_pretrainer,
)
from tests.support.tiny_models import classifier, freezing, objective_params, rows, training


def trained(model):
    return {name for name, p in model.named_parameters() if p.requires_grad}


def top_of(model):
    return {name for name, _ in model.named_parameters() if IMAGE_TOP in name}


def linear_names(model):
    top = model.fuseline.embeddings["image"].encoder
    return sorted(
        {n.rsplit(".", 1)[-1] for n, m in top.named_modules() if isinstance(m, torch.nn.Linear)}
    )


def test_pictures_and_their_stored_states_give_the_same_logits():
    model = topped_classifier()
    pixels = torch.randint(0, 256, (3, 3, SIDE, SIDE)).float()
    ids = torch.tensor([[2, 9, 3]] * 3)
    states = model.fuseline.encode_image(pixels)
    from_pixels = model(input_ids=ids, pixel_values=pixels).logits
    assert torch.equal(from_pixels, model(input_ids=ids, image_features=states).logits)
    other = model(input_ids=ids, pixel_values=255 - pixels).logits
    assert not torch.allclose(from_pixels, other)


def test_a_saved_model_comes_back_with_its_layers(tmp_path):
    model, batch = topped_classifier(seed=3), topped_batch()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if IMAGE_TOP in name:
                parameter.normal_(std=0.3)
    model.save_pretrained(tmp_path)
    again = FuselineForTasks.from_pretrained(tmp_path).eval()
    assert top_of(again) == top_of(model)
    assert torch.equal(again(**batch).logits, model(**batch).logits)


def test_only_the_layers_below_are_frozen_whatever_the_policy():
    model = topped_classifier()
    counts = apply_freezing(model, freezing("none"))
    top, everything = top_of(model), {name for name, _ in model.named_parameters()}
    below = {name for name in everything if ".image_encoder." in name}
    assert top
    assert below
    assert trained(model) == everything - below
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    assert counts["image_encoder_trainable_parameters"] == sum(sizes[name] for name in top)
    assert counts["image_encoder_parameters"] == sum(sizes[name] for name in top | below)
    counts = apply_freezing(model, freezing("none", image_policy="all"))
    assert trained(model) == everything - below - top
    assert counts["image_encoder_trainable_parameters"] == 0
    apply_freezing(model, freezing("head"))
    assert not trained(model) & top
    apply_freezing(model, freezing("all"))
    assert top <= trained(model), "each encoder has a policy of its own"


def test_adapters_in_the_image_layers_are_trained_and_merged():
    model, batch = topped_classifier(), topped_batch()
    targets = linear_names(model)
    policy = freezing("all", image_policy="lora", image_targets=targets)
    names, before = list(model.state_dict()), model(**batch).logits
    with adapters(model, policy, seed=0):
        apply_freezing(model, policy)
        inside = {name for name in trained(model) if IMAGE_TOP in name}
        assert inside
        assert all(".lora_" in name for name in inside)
        groups = parameter_groups(model, set(), training(learning_rate=0.5))
        rates = {id(p): group["lr"] for group in groups for p in group["params"]}
        assert all(rates[id(p)] == 0.5 for n, p in model.named_parameters() if n in inside)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if ".lora_" in name:
                    parameter.normal_()
        during = model.eval()(**batch).logits
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model(**batch).logits, during, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(during, before)


def test_adapters_need_image_layers_of_that_name():
    with (
        pytest.raises(ConfigError, match=r"image_policy: 'lora' adapts image layers, .* none"),
        adapters(classifier(), freezing("all", image_policy="lora"), seed=0),
    ):
        pass
    with (
        pytest.raises(ConfigError, match=r"lora\.image_targets: .* no linear layer 'expand'"),
        adapters(topped_classifier(), freezing("all", image_policy="lora"), seed=0),
    ):
        pass


def test_convolutions_of_one_pixel_take_adapters():
    image = {
        "name": "efficientnet_lite0", "grid": 2, "top_layers": 2, "image_size": 64, "config": None,
    }  # fmt: skip
    model = classifier(image_encoder=image, features={"image": {"positions": 4, "dim": 192}})
    states = torch.randn(6, 4, 192, generator=torch.Generator().manual_seed(0))
    batch = rows(6).batch(range(6)) | {"image_features": states}
    before, policy = model(**batch).logits, freezing("all", image_policy="lora")
    with adapters(model, policy, seed=0):
        apply_freezing(model, policy)
        torch.testing.assert_close(model(**batch).logits, before)
        found = {name: p for name, p in model.named_parameters() if ".lora_" in name}
        assert len(found) == 8, "of two blocks what widens and what narrows, none by channel"
        with torch.no_grad():
            for parameter in found.values():
                parameter.normal_(std=0.1)
        during = model.eval()(**batch).logits
        during.sum().backward()
        assert all(parameter.grad.abs().sum() > 0 for parameter in found.values())
    torch.testing.assert_close(model(**batch).logits, during, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(during, before)


def test_image_layers_have_a_learning_rate_of_their_own():
    model = topped_classifier()
    apply_freezing(model, freezing("none"))
    params = training(
        learning_rate=1.0, encoder_learning_rate=2.0, image_learning_rate=3.0, layer_decay=0.5
    )
    groups = parameter_groups(model, set(), params)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert {rates[id(p)] for n, p in model.named_parameters() if n in top_of(model)} == {3.0}
    others = {n: rates[id(p)] for n, p in model.named_parameters() if id(p) in rates}
    assert others["fuseline.embeddings.image.project.weight"] == 1.0


def test_few_shots_leave_the_image_layers_alone():
    model = topped_classifier()
    open_for_training(model)
    assert not trained(model) & top_of(model)


@pytest.mark.parametrize("name", sorted(set(OBJECTIVES) - {"nsp"}))
def test_every_objective_that_sees_pictures_trains_the_layers(name):
    torch.manual_seed(0)
    model = topped_pretrainer()
    objective = OBJECTIVES[name](objective_params(), None)
    output = objective(model, topped_batch(12))
    output.loss.backward()
    moved = [p.grad.abs().sum() for n, p in model.named_parameters() if n in top_of(model)]
    assert torch.stack(moved).sum() > 0


def test_hidden_cells_say_nothing_but_that_they_are_hidden():
    model, batch = topped_pretrainer(), topped_batch()
    hidden = torch.zeros(6, GRID**2, dtype=torch.bool)
    hidden[:, 1] = True
    encoder = model.fuseline.embeddings["image"].encoder
    below = encoder.top.spread(hidden, batch["image_features"].shape[1])
    noise = torch.where(below.unsqueeze(-1), torch.randn(6, 17, DIM), 0.0)
    changed = batch | {"image_features": batch["image_features"] + 9 * noise}
    with torch.no_grad():
        first, second = (
            model(**inputs, masked_positions={"image": hidden}).states["image"]
            for inputs in (batch, changed)
        )
        assert first.shape == (6, GRID**2, 16)
        assert torch.equal(first, second)
        assert not torch.equal(model(**batch).states["image"], model(**changed).states["image"])


def test_what_is_perturbed_are_the_stored_states():
    model, batch = topped_classifier(), topped_batch()
    perturbable = Perturbable(model, batch, ["image_feature"])
    start = perturbable.start()
    assert start["image_feature"].shape == batch["image_features"].shape
    with torch.no_grad():
        assert torch.equal(model(**perturbable.inputs(start)).logits, model(**batch).logits)
    delta = start["image_feature"].requires_grad_()
    model(**perturbable.inputs({"image_feature": delta})).logits.sum().backward()
    present = batch["image_mask"]
    assert (delta.grad[present].flatten(1).abs().sum(1) > 0).all()


def test_rows_without_a_picture_do_not_depend_on_what_stands_there():
    model, batch = topped_classifier(), topped_batch()
    absent = ~batch["image_mask"]
    assert absent.any()
    other = batch["image_features"].clone()
    other[absent] += 5.0
    changed = model(**(batch | {"image_features": other})).logits
    assert torch.equal(model(**batch).logits, changed)


def test_rows_of_text_alone_need_no_states():
    model = topped_classifier()
    batch = rows(4).batch(range(4))
    without = {name: value for name, value in batch.items() if not name.startswith("image")}
    absent = {"image_features": torch.zeros(4, 17, DIM), "image_mask": torch.zeros(4).bool()}
    assert torch.equal(model(**without).logits, model(**(without | absent)).logits)
