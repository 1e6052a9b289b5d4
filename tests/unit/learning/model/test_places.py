"""A model of several pictures a row: each at its place, absent ones neither seen nor moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fuseline.data.dataset import PIXELS, MultimodalData
from fuseline.learning.model.fusion import FUSIONS
from fuseline.learning.objectives.matching import lasting_identities, mismatched
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.objectives.pretraining import OBJECTIVES
from tests.support import picture_models
from tests.support.tiny_models import (
    CONTINUES_WORD,
    DIM,
    POSITIONS,
    classifier,
    objective_params,
    pretrainer,
    rows,
)

PLACES = 2
FEATURES = {"image": {"positions": PLACES * POSITIONS, "dim": DIM, "places": PLACES}}


def placed(count: int = 8) -> MultimodalData:
    """Rows of two places: of some the second, of some the first, of some both are there."""
    data = rows(count)
    values = np.concatenate([data.features["image"], data.features["image"][::-1]], axis=1)
    values[0::3, POSITIONS:] = np.nan
    values[1::3, :POSITIONS] = np.nan
    values[~data.feature_mask["image"]] = 0
    return replace(data, features={"image": values})


def batch_of(data: MultimodalData) -> dict[str, Tensor]:
    return data.batch(np.arange(len(data)))


@pytest.mark.parametrize("kind", FUSIONS)
def test_every_fusion_leaves_absent_places_out(kind: str) -> None:
    """A row with one picture is what a model of one place makes of it."""
    several = classifier(kind, features=FEATURES).eval()
    one = classifier(kind).eval()
    state = several.state_dict()
    name = "fuseline.embeddings.image.position"
    one.load_state_dict(
        {key: value[:POSITIONS] if key == name else value for key, value in state.items()}
    )
    data = rows(8)
    absent = np.full_like(data.features["image"], np.nan)
    both = np.concatenate([data.features["image"], absent], axis=1)
    both[~data.feature_mask["image"]] = 0
    with torch.no_grad():
        found = several(**batch_of(replace(data, features={"image": both}))).logits
        expected = one(**batch_of(data)).logits
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_picture_says_something_by_its_place() -> None:
    model = classifier(features=FEATURES).eval()
    embedding = model.fuseline.embeddings["image"]
    torch.nn.init.normal_(embedding.position)
    data = placed()
    values = data.features["image"]
    swapped = np.concatenate([values[:, POSITIONS:], values[:, :POSITIONS]], axis=1)
    with torch.no_grad():
        here = model(**batch_of(data)).logits
        there = model(**batch_of(replace(data, features={"image": swapped}))).logits
    changed = ~torch.isclose(here, there, atol=1e-5).all(1)
    assert torch.isfinite(here).all()
    assert changed.tolist() == data.feature_mask["image"].tolist()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_finite_and_so_are_its_gradients(name: str) -> None:
    torch.manual_seed(0)
    model = pretrainer(features=FEATURES)
    objective = OBJECTIVES[name](objective_params(masked_features_share=0.9), CONTINUES_WORD)
    for _ in range(4):
        model.zero_grad()
        output = objective(model, batch_of(placed()))
        output.loss.backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        assert torch.isfinite(output.loss)
        assert all(torch.isfinite(grad).all() for grad in grads)


def test_rows_of_one_picture_are_a_match_whatever_they_lack() -> None:
    data = placed()
    values, groups = data.features["image"].copy(), np.arange(len(data))
    values[3] = values[0]
    mask = data.feature_mask["image"] | True
    values = np.where(mask[:, None, None], values, 0)
    ids = [np.array([2, 5 + row, 3]) for row in range(len(data))]
    batch = batch_of(
        replace(
            data,
            features={"image": values},
            feature_mask={"image": mask},
            groups=groups,
            input_ids=ids,
        )
    )
    assert np.isnan(values[0]).any()
    assert not mismatched(batch)[0, 3]
    identities = lasting_identities(batch)
    assert not identities.mismatched(identities)[0, 3]
    assert mismatched(batch)[0, 1]


def test_an_attack_never_moves_what_is_absent() -> None:
    data, model = placed(), classifier(features=FEATURES).eval()
    perturbable = Perturbable(model, batch_of(data), ["image_feature"])
    (mask,) = perturbable.masks().values()
    here = ~np.isnan(data.features["image"][..., 0]) & data.feature_mask["image"][:, None]
    assert mask.tolist() == here.tolist()
    deltas = {name: delta.requires_grad_() for name, delta in perturbable.start().items()}
    model(**perturbable.inputs(deltas)).logits.sum().backward()
    (gradient,) = (delta.grad for delta in deltas.values())
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert (gradient[~mask] == 0).all()
    assert (gradient[mask] != 0).any(-1).all()


def _with_pixels() -> tuple[Any, dict[str, Tensor]]:
    positions = picture_models.GRID**2
    features = {"image": {"positions": 2 * positions, "dim": 192, "places": 2}}
    model = classifier(image_encoder=picture_models.IMAGE, features=features).eval()
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(8, 2, 3, picture_models.SIDE, picture_models.SIDE, generator=generator)
    pixels = (pixels * 255).round()
    given = pixels.clone()
    given[0::3, 1] = torch.nan
    values = model.fuseline.encode_image(given).detach().numpy().astype(np.float16)
    data = rows(8)
    values[~data.feature_mask["image"]] = 0
    data = replace(data, features={"image": values}, pixels=lambda _: pixels)
    return model, batch_of(data)


def test_each_picture_is_attacked_through_the_encoder_at_its_place() -> None:
    model, batch = _with_pixels()
    assert batch[PIXELS].dim() == 5
    perturbable = Perturbable(model, batch, ["image_pixel"])
    (mask,) = perturbable.masks().values()
    has = batch["image_mask"]
    second = has.clone()
    second[0::3] = False
    assert mask.tolist() == torch.stack([has, second], 1).tolist()
    start = perturbable.start()
    with torch.no_grad():
        clean = perturbable.inputs(start)["image_features"]
        assert torch.equal(clean.nan_to_num(7.0)[has], batch["image_features"].nan_to_num(7.0)[has])
        (name,) = start
        moved = start[name].clone()
        moved[1, 1] = 20.0
        found = perturbable.inputs({name: moved})["image_features"]
    changed = (found != clean).any(-1) & ~clean[..., 0].isnan()
    positions = changed.shape[1] // 2
    assert changed[1, positions:].any()
    assert not changed[1, :positions].any()
    assert not changed[torch.arange(len(changed)) != 1].any()


@pytest.mark.parametrize("places", [1, 2])
def test_fewer_pictures_than_places_are_absent_at_the_end(places: int) -> None:
    model, batch = _with_pixels()
    pixels = batch[PIXELS][:, :places]
    found = model.fuseline.encode_image(pixels if places > 1 else pixels[:, 0])
    positions = found.shape[1] // 2
    assert torch.isfinite(found[:, :positions]).all()
    assert found[:, positions:].isnan().all().item() == (places == 1)


def test_more_pictures_than_places_are_refused() -> None:
    model, batch = _with_pixels()
    three = torch.cat([batch[PIXELS], batch[PIXELS][:, :1]], 1)
    with pytest.raises(ValueError, match=r"at most 2 pictures a row.*found 3"):
        model.fuseline.encode_image(three)
    one = picture_models.model()
    with pytest.raises(ValueError, match=r"at most 1 pictures a row.*found 2"):
        one.fuseline.encode_image(batch[PIXELS])
