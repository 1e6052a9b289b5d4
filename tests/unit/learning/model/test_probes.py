"""A probe is a linear model of standardised vectors, and blends with what is trained."""

import numpy as np
import pytest
import torch

from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.fusion import Sequence
from fuseline.learning.model.modeling import model_inputs
from fuseline.learning.model.probes import BlendedProbe
from tests.support.tiny_models import EVERY, classifier, rows

MEANS = {"text": np.array([1.0, 2.0]), "image": np.array([-1.0])}
WEIGHTS = {"text": np.array([[1.0, 2.0], [-1.0, 0.5]]), "image": np.array([[3.0], [0.0]])}
BIAS = np.array([0.25, -0.5])
VECTORS = {"text": torch.tensor([[3.0, 6.0], [1.0, 2.0]]), "image": torch.tensor([[2.0], [5.0]])}
BOTH = {name: torch.tensor([True, True]) for name in VECTORS}


def probe() -> BlendedProbe:
    made = BlendedProbe({"text": 2, "image": 1}, 2)
    made.set(MEANS, WEIGHTS, BIAS)
    return made


def test_it_is_the_model_that_was_fitted():
    text = np.array([[2.0, 4.0], [0.0, 0.0]]) @ WEIGHTS["text"].T
    image = np.array([[3.0], [6.0]]) @ WEIGHTS["image"].T
    assert probe().linear(VECTORS, BOTH).numpy() == pytest.approx(text + image + BIAS)


def test_an_absent_modality_is_at_the_mean_whatever_stands_there():
    present = BOTH | {"image": torch.tensor([True, False])}
    garbage = VECTORS | {"image": torch.tensor([[2.0], [torch.nan]])}
    found = probe().linear(garbage, present)
    assert found[1].numpy() == pytest.approx(BIAS)
    assert torch.equal(found[0], probe().linear(VECTORS, BOTH)[0])


def test_the_shares_blend():
    made, logits = probe(), torch.tensor([[4.0, 0.0], [0.0, 8.0]])
    assert torch.equal(made(logits, VECTORS, BOTH), logits)
    made.trained_share.fill_(0.5)
    made.probe_share.fill_(2.0)
    expected = 0.5 * logits + 2.0 * made.linear(VECTORS, BOTH)
    assert torch.allclose(made(logits, VECTORS, BOTH), expected)


def test_reset_leaves_what_is_trained_alone():
    made, logits = probe(), torch.ones(2, 2)
    made.probe_share.fill_(3.0)
    made.trained_share.fill_(0.1)
    made.reset()
    assert torch.equal(made(logits, VECTORS, BOTH), logits)
    assert not made.linear(VECTORS, BOTH).any()


def test_the_deviation_is_of_the_positions_that_count():
    states = torch.tensor([[[1.0], [3.0], [100.0]]])
    found = Sequence(states, torch.tensor([[True, True, False]])).deviation()
    assert found.item() == pytest.approx(1.0, abs=1e-5)


def test_still_sounds_have_a_slope():
    states = torch.zeros(1, 3, 1, requires_grad=True)
    Sequence.whole(states).deviation().sum().backward()
    assert states.grad is not None
    assert states.grad.isfinite().all()


def test_vectors_are_of_frozen_features_and_of_the_text_encoder():
    model, batch = classifier(modalities=EVERY, probed=True), rows(modalities=EVERY).batch(range(6))
    output = model.fuseline(**model_inputs(batch))
    assert {n: v.shape[1] for n, v in output.vectors.items()} == model.fuseline.vector_dims
    image, audio = batch["image_features"], batch["audio_features"]
    assert torch.allclose(output.vectors["image"], image.mean(1), atol=1e-6)
    assert torch.allclose(output.vectors["audio"][:, :8], audio.mean(1), atol=1e-6)
    deviation = audio.std(1, correction=0)
    assert torch.allclose(output.vectors["audio"][:, 8:], deviation, atol=1e-3)


def test_new_probes_say_nothing_in_a_loaded_model_too(tmp_path):
    classifier().save_pretrained(tmp_path)
    for model in (classifier(probed=True), FuselineForTasks.from_pretrained(tmp_path, probed=True)):
        assert list(model.heads[0].probes) == ["all", "text", "image"]
        for one in model.heads[0].probes_by_name.values():
            assert (one.trained_share, one.probe_share) == (1.0, 0.0)
            assert not one.bias.any()
            assert not any(one.get_buffer(f"weight_{name}").any() for name in one.names)


def test_a_model_may_be_loaded_without_its_probes(tmp_path):
    model, batch = classifier(probed=True), rows().batch(range(6))
    before = model(**batch).logits
    for one in model.heads[0].probes_by_name.values():
        one.bias.fill_(1.0)
        one.probe_share.fill_(2.0)
    model.save_pretrained(tmp_path)
    kept = FuselineForTasks.from_pretrained(tmp_path)
    without = FuselineForTasks.from_pretrained(tmp_path, probed=False)
    assert torch.allclose(kept(**batch).logits, before + 2.0)
    assert torch.equal(without(**batch).logits, before)
    assert not without.heads[0].probes
    assert without.fuseline(**model_inputs(batch)).vectors == {}


def test_a_model_of_one_modality_has_one_probe():
    assert list(classifier(modalities=["audio"], probed=True).heads[0].probes) == ["all"]
