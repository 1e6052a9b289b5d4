"""Adversarial fine-tuning in pixels, through the frozen encoder of pictures."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from fuseline.data.dataset import PIXELS
from fuseline.data.modalities.image.networks import EfficientNetLite0, ImageEncoder
from fuseline.data.modalities.image.stored_pictures import StoredPictures
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.training import adversarial_finetune
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.attack import PIXEL_SPACE
from fuseline.params.base import BaseParams
from fuseline.pipeline.precision import autocast
from tests.support.adversarial_params import adversarial_params
from tests.support.picture_models import GRID, SIDE, model, table
from tests.support.tiny_models import classifier, freezing, rows, training

BASE = BaseParams(seed=1, modalities=["text", "image"], num_threads=1, precision="fp32")
SPACES = {"text_embedding": 0.1, PIXEL_SPACE: 8.0}


def params(**changes: object) -> AdversarialFinetuneParams:
    values = adversarial_params("pgd", epsilon=SPACES, norm="linf", **changes).model_dump()
    return AdversarialFinetuneParams.model_validate(
        values
        | {"modality_dropout": 0.0, "label_smoothing": 0.0, "unimodal_weight": 0.5}
        | {"training": training(num_epochs=1).model_dump()}
    )


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """The stage on made-up rows with stored pictures; every batch that it perturbs is noted."""
    examples, data = table(tmp_path / "examples", 48)
    processor = Mock()
    processor.from_pretrained.return_value = processor
    monkeypatch.setattr(adversarial_finetune, "FuselineProcessor", processor)
    monkeypatch.setattr(adversarial_finetune, "load_rows", Mock(return_value=(data, None)))
    monkeypatch.setattr(adversarial_finetune, "with_labels", lambda found, *_: found)
    monkeypatch.setattr(adversarial_finetune, "write_model_card", Mock())
    monkeypatch.setattr(adversarial_finetune, "make_deterministic", Mock())
    finetuned = model()
    finetuned.config.freezing = freezing("none").model_dump()
    finetuned.save_pretrained(tmp_path / "finetuned")
    moved, plain = [], Perturbable.inputs

    def inputs(self, deltas):
        found = plain(self, deltas)
        if PIXEL_SPACE in deltas:
            moved.append((deltas[PIXEL_SPACE].detach(), found["image_features"].detach()))
        return found

    monkeypatch.setattr(Perturbable, "inputs", inputs)

    def run(own):
        return adversarial_finetune.adversarial_finetune(
            tmp_path / "finetuned", examples, tmp_path, tmp_path, tmp_path / "adversarial",
            params=own, base=BASE, work=tmp_path / "work",
        )  # fmt: skip

    return run, moved, tmp_path


def test_training_climbs_in_pixels_and_leaves_the_encoder_as_it_was(stage):
    run, moved, folder = stage
    metrics, _ = run(params())
    lengths = torch.cat([delta.abs().amax((1, 2)) for delta, _ in moved])
    assert lengths.max() == pytest.approx(8.0)
    assert (lengths == 0).any()
    # Validation too: an encoder keeps much for the way back.
    assert max(len(delta) for delta, _ in moved) <= params().training.batch_size
    assert 0.0 <= metrics["dev"]["robust_accuracy"] <= 1.0
    before, after = (
        FuselineForTasks.from_pretrained(folder / name) for name in ("finetuned", "adversarial")
    )
    assert after.config.training_attack["epsilon"] == SPACES
    changed = {
        name
        for name, value in after.state_dict().items()
        if not torch.equal(value, before.state_dict()[name])
    }
    assert changed
    assert not [name for name in changed if ".image_encoder." in name]


def test_without_pixels_no_picture_is_read(stage, monkeypatch):
    run, moved, _ = stage
    monkeypatch.setattr(adversarial_finetune, "StoredPictures", Mock(side_effect=AssertionError))
    own = params()
    own.attack.epsilon.pop(PIXEL_SPACE)
    run(own)
    assert not moved


def test_a_model_without_pictures_leaves_the_space_out(tmp_path):
    """As `image_feature` is, so that one set of params serves several data sets."""
    data = adversarial_finetune.with_pictures(rows(8), tmp_path, classifier(), params())
    perturbable = Perturbable(classifier(), data.batch(range(8)), list(SPACES))
    assert list(perturbable.start()) == ["text_embedding"]


def test_pixels_beside_features_are_refused():
    both = SPACES | {"image_feature": 1.0}
    with pytest.raises(ValueError, match="expected image_pixel or image_feature, found both"):
        adversarial_params("pgd", epsilon=both)


def test_what_a_model_sees_are_pixels(tmp_path):
    """Though a step may leave their range."""
    folder, data = table(tmp_path / "examples", 6)
    data = replace(data, pixels=StoredPictures(folder, data.example_ids, SIDE))
    perturbable = Perturbable(model(), data.batch(range(6)), [PIXEL_SPACE])
    far = {PIXEL_SPACE: torch.full_like(perturbable.start()[PIXEL_SPACE], 1e4)}
    white = model().fuseline.encode_image(torch.full((1, 3, SIDE, SIDE), 255.0))
    found = perturbable.inputs(far)["image_features"][data.feature_mask["image"]]
    assert torch.allclose(found, white.expand_as(found), atol=1e-6)


def test_stored_pictures_come_by_id_and_as_extraction_saw_them(tmp_path):
    folder, data = table(tmp_path / "examples", 12)
    pictures = StoredPictures(folder, data.example_ids, SIDE)
    order = [7, 0, 3, 5]
    found = replace(data, pixels=pictures).take(np.array(order)).batch([0, 1, 2, 3])[PIXELS]
    assert found.shape == (4, 3, SIDE, SIDE)
    for row, pixels in zip(order, found, strict=True):
        if data.feature_mask["image"][row]:
            features = model().fuseline.encode_image(pixels[None])[0]
            assert np.array_equal(features.numpy(), data.features["image"][row])
        else:
            assert not pixels.any()


def test_the_frozen_encoder_stays_in_evaluation_mode():
    """Or its batch statistics would move, and with them its features."""
    net = model()
    net.fuseline.image_encoder = EfficientNetLite0(1, weights=False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    assert net.training
    net.fuseline.encode_image(torch.rand(2, 3, 32, 32))
    assert [name for name in before if "running_mean" in name]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


class Convolution(ImageEncoder):
    """With weights, so that it rounds."""

    grid, dim, revision = GRID, 192, ""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, self.dim, 3, padding=1)

    def maps(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.layer(pixel_values / 255.0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_zero_delta_gives_the_stored_features_however_they_were_rounded(tmp_path, precision):
    folder, data = table(tmp_path / "examples", 6)
    data = replace(data, pixels=StoredPictures(folder, data.example_ids, SIDE))
    net, stored = model(), data.features["image"].astype(np.float32)
    # Patches round alike in both.
    net.fuseline.image_encoder = Convolution()
    perturbable = Perturbable(net, data.batch(range(6)), [PIXEL_SPACE])
    for within in (precision, "fp32"):
        with autocast(within):
            found = perturbable.inputs(perturbable.start())["image_features"]
        assert np.allclose(found.detach().numpy(), stored, atol=1e-6)
