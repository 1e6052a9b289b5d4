import torch
from torch.nn import functional

from fuseline.objectives.supervised import Supervised, drop_modalities
from fuseline.tasks.classification import Classification
from tests.tiny import EVERY, classifier, rows

TASK = Classification("label", {"labels": ["ant", "bee", "cat"]})


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
    output = Supervised([TASK], [1.0], 0.0, 0.0)(model, batch)
    expected = functional.cross_entropy(model(**batch).logits, batch["labels"])
    assert torch.allclose(output.loss, expected)
    assert output.count == 6
