"""Contrast with rows of earlier batches: which of them count, and when."""

import math

import pytest
import torch
from torch.nn import functional

from fuseline.errors import ContractError
from fuseline.learning.objectives.contrastive import Contrastive
from fuseline.learning.objectives.pretraining import Mixture
from tests.support.tiny_models import EVERY, objective_params, pretrainer, rows

# Rows that have text and picture, each of another group.
EARLIER, NOW = [0, 2, 5, 8], [6, 10]


def objective(size):
    return Contrastive(objective_params(contrastive_queue_size=size), None)


def trainee(**changes):
    """In training mode, but without dropout, so that the vectors of a row stay the same."""
    model = pretrainer(**changes).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def vectors(model, batch):
    output = model(**batch)
    return [model.contrastive_vectors(output, name) for name in ("text", "image")]


def closed_form(model, batch, earlier, allowed):
    """Loss of whole rows that do not match each other, with earlier vectors of text and picture;
    `allowed` (N, K) says which of them are negatives."""
    scale = model.logit_scale.exp()
    (text, image), (old_text, old_image) = vectors(model, batch), earlier
    losses = []
    for anchors, own, old in ((text, image, old_image), (image, text, old_text)):
        further = (scale * anchors @ old.T).masked_fill(~allowed, -math.inf)
        logits = torch.cat([scale * anchors @ own.T, further], 1)
        losses.append(functional.cross_entropy(logits, torch.arange(len(anchors))))
    return sum(losses) / 2


def after(model, earlier, batch, size=16):
    """Loss of a batch that comes after another."""
    contrast = objective(size)
    contrast(model, earlier)
    return contrast(model, batch).loss


def test_rows_of_earlier_batches_are_negatives_both_ways():
    model, data = trainee(), rows(24)
    earlier, batch = data.batch(EARLIER), data.batch(NOW)
    expected = closed_form(model, batch, vectors(model, earlier), torch.ones(2, 4).bool())
    found = after(model, earlier, batch)
    assert torch.allclose(found, expected)
    assert found > objective(0)(model, batch).loss


def _same_group(earlier, batch):
    earlier["groups"][1] = batch["groups"][0]


def _same_text(earlier, batch):
    for key in ("input_ids", "attention_mask"):
        width = batch[key].shape[1]
        # The padding differs, the text does not.
        earlier[key] = functional.pad(earlier[key], (0, 8 + width - earlier[key].shape[1]))
        earlier[key][1] = functional.pad(batch[key][0], (0, 8))


def _same_picture(earlier, batch):
    earlier["image_features"][1] = batch["image_features"][0]


@pytest.mark.parametrize("share", [_same_group, _same_text, _same_picture])
def test_a_true_match_in_the_queue_is_no_negative(share):
    model, data = trainee(), rows(24)
    earlier, batch = data.batch(EARLIER), data.batch(NOW)
    share(earlier, batch)
    allowed = torch.ones(2, 4).bool()
    allowed[0, 1] = False
    assert torch.allclose(
        after(model, earlier, batch),
        closed_form(model, batch, vectors(model, earlier), allowed),
        atol=1e-5,
    )


def test_a_row_is_no_negative_of_its_own_from_an_earlier_epoch():
    model, data = trainee(), rows(24)
    batch = data.batch(NOW)
    others = ~torch.eye(2, dtype=torch.bool)
    assert torch.allclose(
        after(model, batch, batch), closed_form(model, batch, vectors(model, batch), others)
    )
    alone = data.batch(NOW[:1])
    assert after(model, alone, alone) == 0


def test_a_row_that_lacks_one_of_the_two_media_is_no_negative():
    """Rows with audio and either text or picture are in the queue, for the pairs that they have."""
    model, data = trainee(modalities=EVERY[:3]), rows(24, modalities=EVERY[:3])
    earlier, batch = data.batch(EARLIER), data.batch(NOW)
    for name in EVERY[:3]:
        earlier[f"{name}_mask"][:] = name != "image"
        batch[f"{name}_mask"][:] = name != "audio"
    contrast = objective(16)
    contrast(model, earlier)
    assert len(contrast.queue) == 4
    assert torch.allclose(contrast(model, batch).loss, objective(0)(model, batch).loss)


def test_the_queue_fills_and_the_oldest_rows_make_room():
    model, data, contrast = trainee(), rows(40), objective(5)
    whole = [row for row in range(40) if data.text_mask[row] and data.feature_mask["image"][row]]
    kept = []
    for start in range(0, 12, 3):
        contrast(model, data.batch(whole[start : start + 3]))
        kept.append(sorted(contrast.queue.identities.groups.tolist()))
    groups = data.groups[whole].tolist()
    assert kept == [sorted(groups[max(0, end - 5) : end]) for end in (3, 6, 9, 12)]


def test_of_a_batch_above_the_size_the_last_rows_stay():
    model, data, contrast = trainee(), rows(40), objective(3)
    contrast(model, data.batch([0, 2, 5, 6, 8]))
    assert sorted(contrast.queue.identities.groups.tolist()) == data.groups[[5, 6, 8]].tolist()
    contrast(model, data.batch([10]))
    assert sorted(contrast.queue.identities.groups.tolist()) == data.groups[[6, 8, 10]].tolist()


def test_what_is_kept_are_unit_vectors_without_a_graph():
    model, data, contrast = trainee(), rows(24), objective(8)
    contrast(model, data.batch(EARLIER))
    for name, expected in zip(("text", "image"), vectors(model, data.batch(EARLIER)), strict=True):
        kept = contrast.queue.vectors(name)
        assert not kept.requires_grad
        assert torch.equal(kept, expected)
        assert torch.allclose(kept.norm(dim=1), torch.ones(4))


def test_gradients_are_those_of_the_rows_of_the_batch_alone():
    """Writing the batch into a full queue leaves alone what its own loss was computed with."""
    model, data = trainee(), rows(24)
    earlier, batch = data.batch(EARLIER), data.batch(NOW)
    after(model, earlier, batch, size=4).backward()
    found = model.contrastive_heads["text"].weight.grad.clone()
    model.zero_grad()
    with torch.no_grad():
        frozen = vectors(model, earlier)
    closed_form(model, batch, frozen, torch.ones(2, 4).bool()).backward()
    assert torch.allclose(found, model.contrastive_heads["text"].weight.grad, atol=1e-6)


def test_a_row_with_one_medium_takes_no_slot():
    data, contrast = rows(24), objective(16)
    contrast(trainee(), data.batch(range(12)))
    paired = data.text_mask[:12] & data.feature_mask["image"][:12]
    assert contrast.queue.identities.groups.tolist() == data.groups[:12][paired].tolist()


def test_evaluation_neither_sees_nor_fills_the_queue():
    model, data, contrast = trainee(), rows(24), objective(16)
    contrast(model, data.batch(EARLIER))
    before = {name: value.clone() for name, value in contrast.state_dict().items()}
    found = contrast(model.eval(), data.batch(NOW)).loss
    assert torch.equal(found, objective(0)(model, data.batch(NOW)).loss)
    state = contrast.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in before.items())


def test_without_a_queue_nothing_is_remembered_and_the_loss_is_the_batch_s_own():
    model, data, contrast = trainee(), rows(24), objective(0)
    first = contrast(model, data.batch(NOW)).loss
    contrast(model, data.batch(EARLIER))
    assert contrast.state_dict() == {}
    assert torch.equal(contrast(model, data.batch(NOW)).loss, first)
    assert torch.equal(first, objective(0)(model.eval(), data.batch(NOW)).loss)
    assert torch.equal(first, objective(8)(model.train(), data.batch(NOW)).loss)


def test_a_state_gives_the_queue_back():
    """Through a mixture, as the checkpoints take it."""
    model, data = trainee(), rows(24)

    def mixture():
        return Mixture({"contrastive": objective(6)}, {"contrastive": 1.0})

    first, second = mixture(), mixture()
    assert first.state_dict() == {}
    first(model, data.batch(EARLIER))
    second.load_state_dict(first.state_dict())
    for rows_now in (NOW, [12, 16], [20]):
        batch = data.batch(rows_now)
        assert torch.equal(first(model, batch).loss, second(model, batch).loss)
    second.load_state_dict({})
    assert second.state_dict() == {}


def test_a_state_of_another_size_is_refused():
    contrast = objective(6)
    contrast(trainee(), rows(24).batch(EARLIER))
    with pytest.raises(ContractError, match=r"queue has 6 rows, .*contrastive_queue_size is 4"):
        objective(4).load_state_dict(contrast.state_dict())
    with pytest.raises(ContractError, match=r"contrastive_queue_size is 0"):
        objective(0).load_state_dict(contrast.state_dict())
