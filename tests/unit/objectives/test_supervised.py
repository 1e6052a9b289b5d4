import torch

from fuseline.objectives.supervised import Supervised, drop_modalities
from fuseline.tasks import Classification
from tests.tiny import classifier, rows


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


def test_the_loss_is_the_mean_cross_entropy():
    model, batch = classifier(), rows().batch(range(6))
    output = Supervised(Classification(["ant", "bee", "cat"]), 0.0, 0.0)(model, batch)
    assert torch.allclose(output.loss, model(**batch).loss)
    assert output.count == 6
