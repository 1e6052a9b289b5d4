import math

import pytest
import torch
from torch.nn import functional

from fuseline.data.dataset import NO_LABEL
from fuseline.learning.model import TaskOutput
from fuseline.learning.objectives.supervised import Supervised, drop_modalities
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.tasks.regression import Regression
from tests.support.tiny_models import EVERY, classification, classifier, rows

TASK = Classification("label", {"labels": ["ant", "bee", "cat"]})


def pooled(kind, size, **facts):
    """An entry of `config.tasks`."""
    head = {"kind": "pooled", "size": size}
    return classification() | {"kind": kind, "head": head, "facts": facts}


REGRESSION = pooled("regression", 1, mean=3.0, deviation=1.5)
MULTILABEL = pooled("multilabel", 2, labels=["odd", "large"])
RANKING = pooled("ranking", 1, low=0.0, high=5.0)
OTHER_HEADS = [
    {"kind": "tokens", "size": 3},
    {"kind": "contrastive", "modalities": ["text", "image"]},
    {
        "kind": "decoder", "key": "labels", "vocab_size": 50, "num_layers": 1, "num_heads": 2,
        "max_length_tokens": 8,
    },
]  # fmt: skip


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
    output = Supervised([TASK], [1.0], 0.0, 0.0, 0.0)(model, batch)
    expected = functional.cross_entropy(model(**batch).logits, batch["labels"])
    assert torch.allclose(output.loss, expected)
    assert output.count == 6


def test_what_each_modality_says_alone_by_hand():
    """Text has rows 0 to 2, pictures 0 and 3. Odds of 3 to 1 for the second class cost ln 4 where
    the first is right, ln 4/3 where the second is; even ones ln 2."""
    batch = {
        "labels": torch.tensor([0, 1, 1, 0]),
        "text_mask": torch.tensor([True, True, True, False]),
        "image_mask": torch.tensor([True, False, False, True]),
    }
    even, leaning = torch.zeros(4, 2), torch.tensor([[0.0, math.log(3.0)]] * 4)
    output = TaskOutput([even], [{"text": leaning, "image": leaning}])
    task = Classification("label", {"labels": ["ant", "bee"]})
    text = (math.log(4) + 2 * math.log(4 / 3)) / 3
    image = math.log(4)
    loss = Supervised([task], [2.0], 0.0, 0.0, 0.5).output(output, batch).loss
    assert loss.item() == pytest.approx(math.log(2) + 0.5 * (text + image) / 2)


def test_what_each_modality_says_alone_counts_by_the_tasks_weights():
    """The second task knows the last row only, and is a quarter of the whole."""
    batch = {
        "labels": torch.tensor([0, 1]),
        "size": torch.tensor([math.nan, 7.0]),
        "text_mask": torch.tensor([True, True]),
        "image_mask": torch.tensor([False, False]),
    }
    tasks = [
        Classification("label", {"labels": ["ant", "bee"]}),
        Regression("size", {"mean": 5.0, "deviation": 2.0}, key="size"),
    ]
    even, middle = torch.zeros(2, 2), torch.zeros(2, 1)
    wrong = torch.full((2, 1), 4.0)  # 3 deviations above 7
    output = TaskOutput([even, middle], [{"text": even}, {"text": wrong, "image": wrong}])
    loss = Supervised(tasks, [3.0, 1.0], 0.0, 0.0, 2.0).output(output, batch).loss
    fused = 0.75 * math.log(2) + 0.25 * 1.0 / 2
    alone = 0.75 * math.log(2) + 0.25 * 9.0 / 2
    assert loss.item() == pytest.approx(fused + 2.0 * alone)


@pytest.mark.parametrize(
    "entry", [REGRESSION, MULTILABEL, RANKING], ids=lambda entry: entry["kind"]
)
def test_every_task_over_the_pooled_vector_trains_the_experts(entry):
    model, batch = classifier(tasks=[entry]).train(), rows().batch(range(8))
    labels = torch.tensor([1.0, 2.0, math.nan, 3.0, 4.0, 5.0, 1.0, 2.0])
    if entry["kind"] == "multilabel":
        labels = torch.stack([labels % 2, labels > 2], 1).where(
            labels[:, None].isfinite(), math.nan
        )
    batch |= {"labels": labels}
    size = entry["head"]["size"]
    assert {k: v.shape for k, v in model(**batch).by_modality[0].items()} == {
        "text": (8, size), "image": (8, size)
    }  # fmt: skip
    loss = Supervised(build_tasks([entry]), [1.0], 0.0, 0.0, 0.5)(model, batch).loss
    loss.backward()
    assert torch.isfinite(loss)
    for layer in model.heads[0].experts.layers.values():
        assert layer.weight.grad.abs().sum() > 0
        assert torch.isfinite(layer.weight.grad).all()


@pytest.mark.parametrize("head", OTHER_HEADS, ids=lambda head: head["kind"])
def test_other_heads_ask_no_modality_alone(head):
    entry = classification() | {"head": head}
    model, batch = classifier(tasks=[entry]), rows().batch(range(6))
    given = {name: value for name, value in batch.items() if name != "labels"}
    assert model(**given).by_modality == [{}]


def test_a_task_without_experts_has_no_loss_of_theirs():
    batch = {"labels": torch.tensor([0, 1]), "text_mask": torch.tensor([True, True])}
    output = TaskOutput([torch.zeros(2, 3)], [{}])
    loss = Supervised([TASK], [1.0], 0.0, 0.0, 5.0).output(output, batch).loss
    assert loss.item() == pytest.approx(math.log(3))


def test_a_batch_without_any_modality_still_has_a_gradient():
    model, batch = classifier(), rows().batch(range(4))
    none = torch.zeros(4, dtype=torch.bool)
    output = Supervised([TASK], [1.0], 0.0, 0.0, 1.0)(
        model, batch | {"text_mask": none, "image_mask": none}
    )
    output.loss.backward()
    assert torch.isfinite(output.loss)


def test_rows_without_a_label_are_no_guesses():
    batch = rows().batch(range(6))
    labels = batch["labels"].clone()
    labels[2:] = NO_LABEL
    output = TaskOutput([functional.one_hot(batch["labels"], 3).float()], [{}])
    found = Supervised([TASK], [1.0], 0.0, 0.0, 0.0).output(output, batch | {"labels": labels})
    assert (found.correct, found.count) == (2.0, 2.0)
