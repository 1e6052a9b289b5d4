"""A probe is a linear model of standardised vectors, and blends with what is trained."""

import numpy as np
import pytest
import torch

from fuseline.learning.model.probes import BlendedProbe, masked_deviation, masked_mean
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


def test_the_mean_and_deviation_are_of_the_positions_that_count():
    states = torch.tensor([[[1.0], [3.0], [100.0]]])
    mask = torch.tensor([[True, True, False]])
    mean = masked_mean(states, mask)
    assert mean.tolist() == [[2.0]]
    assert masked_deviation(states, mask, mean).item() == pytest.approx(1.0, abs=1e-5)
    assert masked_mean(states, torch.zeros(1, 3, dtype=torch.bool)).tolist() == [[0.0]]


def test_still_sounds_have_a_slope():
    states = torch.zeros(1, 3, 1, requires_grad=True)
    mask = torch.ones(1, 3, dtype=torch.bool)
    masked_deviation(states, mask, masked_mean(states, mask)).sum().backward()
    assert states.grad is not None
    assert states.grad.isfinite().all()


def test_vectors_are_of_frozen_features_and_of_the_text_encoder():
    model, batch = classifier(modalities=EVERY), rows(modalities=EVERY).batch(range(6))
    output = model.fuseline(
        **{k: v for k, v in batch.items() if k.endswith(("_ids", "_mask", "_features"))}
    )
    assert {n: v.shape[1] for n, v in output.vectors.items()} == model.fuseline.vector_dims
    image, audio = batch["image_features"], batch["audio_features"]
    assert torch.allclose(output.vectors["image"], image.mean(1), atol=1e-6)
    assert torch.allclose(output.vectors["audio"][:, :8], audio.mean(1), atol=1e-6)
    deviation = audio.std(1, correction=0)
    assert torch.allclose(output.vectors["audio"][:, 8:], deviation, atol=1e-3)


def test_a_new_model_has_probes_that_say_nothing(tmp_path):
    model = classifier()
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    for one in (model.heads[0].probe, again.heads[0].probe):
        assert not one.bias.any()
        assert not any(one.get_buffer(f"weight_{name}").any() for name in one.names)
        assert (one.trained_share, one.probe_share) == (1.0, 0.0)
