"""Every fusion in the table keeps the same promises."""

import pytest
import torch

from fuseline.learning.model.fusion import FUSIONS
from fuseline.learning.model.modeling import model_inputs
from tests.support.tiny_models import (
    EVERY,
    FEATURES,
    POSITIONS,
    classifier,
    pretrainer,
    rows,
    tell_apart,
)

SETS = [EVERY, ["image", "audio"], ["tabular"], ["text"], ["video"]]


@pytest.mark.parametrize("kind", FUSIONS)
def test_shapes(kind):
    batch = rows().batch(range(6))
    output = pretrainer(kind)(**batch)
    tokens = batch["input_ids"].shape[1]
    assert output.pooled.shape == (6, 16)
    assert output.states["text"].shape == (6, tokens, 16)
    assert output.states["image"].shape == (6, POSITIONS, 16)


@pytest.mark.parametrize("kind", FUSIONS)
def test_padding_changes_nothing(kind):
    model, data = classifier(kind), rows()
    short = int(data.lengths.argmin())
    long = int(data.lengths.argmax())
    alone = model(**data.batch([short])).logits
    padded = data.batch([short, long])
    extra = {
        name: torch.nn.functional.pad(padded[name], (0, 8))
        for name in ("input_ids", "attention_mask")
    }
    together = model(**(padded | extra)).logits[:1]
    assert torch.allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("kind", FUSIONS)
def test_an_absent_modality_has_no_influence(kind):
    model, batch = classifier(kind), rows().batch(range(6))
    absent = batch | {"image_mask": torch.zeros(6, dtype=torch.bool)}
    other = absent | {"image_features": torch.randn_like(batch["image_features"])}
    assert torch.equal(model(**absent).logits, model(**other).logits)
    without = {name: value for name, value in batch.items() if not name.startswith("image")}
    assert torch.allclose(model(**absent).logits, model(**without).logits, atol=1e-6)


@pytest.mark.parametrize("kind", FUSIONS)
def test_both_modalities_matter(kind):
    model, batch = classifier(kind), rows().batch([0, 1, 2])
    clean = model(**batch).logits
    other_image = batch | {"image_features": batch["image_features"] + 1.0}
    image = model(**(other_image | {"image_features": batch["image_features"].flip(0)})).logits
    text = model(**(batch | {"input_ids": (batch["input_ids"] * 7) % 50})).logits
    assert not torch.allclose(clean, image)
    assert not torch.allclose(clean, text)


@pytest.mark.parametrize("kind", FUSIONS)
def test_every_trainable_parameter_gets_a_gradient(kind):
    model, batch = classifier(kind), rows().batch(range(6))
    torch.nn.functional.cross_entropy(model(**batch).logits, batch["labels"]).backward()
    unused = {
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None and ".masked" not in name
    }
    assert unused == set()


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("modalities", SETS, ids="+".join)
def test_any_set_of_modalities_is_fused(kind, modalities):
    batch = rows(modalities=modalities).batch(range(6))
    output = pretrainer(kind, modalities=modalities)(**batch)
    assert set(output.states) == set(modalities)
    assert torch.isfinite(output.pooled).all()
    for name in set(modalities) - {"text"}:
        assert output.states[name].shape == (6, FEATURES[name]["positions"], 16)


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("lacking", EVERY)
def test_what_stands_for_an_absent_modality_is_never_read(kind, lacking):
    model, batch = classifier(kind, modalities=EVERY), rows(modalities=EVERY).batch(range(6))
    absent = batch | {f"{lacking}_mask": torch.zeros(6, dtype=torch.bool)}
    key = "input_ids" if lacking == "text" else f"{lacking}_features"
    other = absent | {key: batch[key] * 0 + 7}
    assert torch.equal(model(**absent).logits, model(**other).logits)


@pytest.mark.parametrize("kind", FUSIONS)
def test_each_modality_alone_is_what_rows_without_the_others_give(kind):
    model, batch = pretrainer(kind, modalities=EVERY), rows(modalities=EVERY).batch(range(6))
    tell_apart(model)
    output = model(**batch, each_alone=True)
    assert list(output.alone) == EVERY
    assert torch.allclose(output.pooled, model(**batch).pooled, atol=1e-6)
    for shown, pooled in output.alone.items():
        hidden = {f"{name}_mask": torch.zeros(6).bool() for name in EVERY if name != shown}
        assert torch.allclose(pooled, model(**(batch | hidden)).pooled, atol=1e-5)


@pytest.mark.parametrize("kind", FUSIONS)
def test_rows_do_not_see_each_other(kind):
    model, data = classifier(kind, modalities=EVERY), rows(modalities=EVERY)
    together = model(**data.batch(range(6))).logits
    alone = torch.cat([model(**data.batch([row])).logits for row in range(6)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("kind", FUSIONS)
def test_all_that_the_backbone_gives_is_float32_under_autocast(kind):
    """The heads of pre-training are called outside the autocast around it."""
    batch = model_inputs(rows().batch(range(6)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = pretrainer(kind).fuseline(**batch, each_alone=True)
    given = [
        output.pooled,
        *output.states.values(),
        *output.unimodal.values(),
        *output.alone.values(),
    ]
    assert {values.dtype for values in given} == {torch.float32}
