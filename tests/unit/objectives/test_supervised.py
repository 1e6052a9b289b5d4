import pytest
import torch

from fuseline.objectives.supervised import Supervised, drop_modalities
from fuseline.tasks import Classification
from tests.tiny import EVERY, classifier, rows


def test_dropout_never_takes_the_only_modality():
    batch = rows(40).batch(range(40))
    torch.manual_seed(0)
    dropped = drop_modalities(batch, 1.0)
    before = batch["text_mask"].long() + batch["image_mask"]
    after = dropped["text_mask"].long() + dropped["image_mask"]
    assert (after[before == 2] == 1).all()
    assert (after[before < 2] == before[before < 2]).all()


def test_both_modalities_are_dropped_about_equally():
    batch = {"text_mask": torch.ones(4000).bool(), "image_mask": torch.ones(4000).bool()}
    torch.manual_seed(0)
    dropped = drop_modalities(batch, 0.5)
    shares = [1 - dropped[name].float().mean() for name in ("text_mask", "image_mask")]
    assert all(0.22 < share < 0.28 for share in shares)


def test_every_pattern_of_presence_is_trained():
    """Of three modalities one or two go, each pattern as often; the last one never does."""
    names = ("text_mask", "image_mask", "audio_mask")
    batch = {name: torch.ones(6000).bool() for name in names}
    torch.manual_seed(0)
    dropped = drop_modalities(batch, 0.6)
    code = sum(dropped[name].long() << place for place, name in enumerate(names))
    shares = torch.bincount(code, minlength=8) / 6000
    assert shares[0] == 0
    assert abs(shares[7] - 0.4) < 0.03
    assert all(abs(share - 0.1) < 0.02 for share in shares[1:7])


def test_nothing_absent_becomes_present_and_something_stays():
    batch = rows(40, modalities=EVERY).batch(range(40))
    torch.manual_seed(0)
    dropped = drop_modalities(batch, 1.0)
    names = [f"{name}_mask" for name in EVERY]
    before = torch.stack([batch[name] for name in names])
    after = torch.stack([dropped[name] for name in names])
    assert not (after & ~before).any()
    assert torch.equal(after.any(0), before.any(0))
    assert (after.sum(0) < before.sum(0))[before.sum(0) > 1].all()
    assert torch.equal(dropped["attention_mask"], batch["attention_mask"])


def test_a_single_modality_is_left_alone():
    batch = rows(modalities=["audio"]).batch(range(6))
    del batch["text_mask"]
    assert drop_modalities(batch, 1.0) is batch


def test_the_loss_is_the_mean_cross_entropy():
    model, batch = classifier(), rows().batch(range(6))
    output = Supervised(Classification(["ant", "bee", "cat"]), 0.0, 0.0, 0.0)(model, batch)
    assert torch.allclose(output.loss, model(**batch).loss)
    assert output.count == 6


def test_what_each_modality_says_alone_has_a_loss_over_the_rows_that_have_it():
    model, batch = classifier(), rows().batch(range(8))
    task = Classification(["ant", "bee", "cat"])
    logits = model(**batch).unimodal_logits
    alone = [
        task.losses(logits[name], batch["labels"])[batch[f"{name}_mask"]].mean()
        for name in ("text", "image")
    ]
    plain = Supervised(task, 0.0, 0.0, 0.0)(model, batch).loss
    both = Supervised(task, 0.0, 0.0, 0.5)(model, batch).loss
    assert both.item() == pytest.approx((plain + 0.5 * sum(alone) / 2).item(), abs=1e-6)


def test_a_batch_without_any_modality_still_has_a_gradient():
    model, batch = classifier(), rows().batch(range(4))
    none = torch.zeros(4, dtype=torch.bool)
    output = Supervised(Classification(["ant", "bee", "cat"]), 0.0, 0.0, 1.0)(
        model, batch | {"text_mask": none, "image_mask": none}
    )
    output.loss.backward()
    assert torch.isfinite(output.loss)
