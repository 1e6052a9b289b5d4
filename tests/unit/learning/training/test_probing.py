"""Probes are fitted before training, and get a share by the development rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fuseline.learning.tasks import TASKS
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.training.freezing import apply_freezing
from fuseline.learning.training.probing import LEAST, MOST, blend_probes, fit_probes
from tests.support.tiny_models import EVERY, classification, classifier, freezing, rows

FACTS = {"mean": 5.0, "deviation": 2.0, "low": 0.0, "high": 1.0, "labels": ["a", "b"]}


def probed(**changes):
    return classifier(probed=True, **changes)


def told_by_pictures(count: int = 60, **changes):
    """Rows whose class the picture tells."""
    data = rows(count)
    labels = np.arange(count) % 3
    features = data.features["image"].copy()
    features[np.arange(count), :, labels] += 3.0
    features[~data.feature_mask["image"]] = 0.0
    return replace(
        data, features={"image": features}, labels=labels, groups=np.arange(count), **changes
    )


def fitted(model, data, tasks=None):
    tasks = tasks or build_tasks([classification()])
    fit_probes(model, tasks, data, seed=3)
    return tasks


def accuracy(model, data) -> float:
    logits = model.eval()(**data.batch(np.arange(len(data)))).logits
    return float((logits.argmax(-1).numpy() == data.labels).mean())


def test_a_fit_changes_nothing_before_there_is_a_share():
    model, data = probed(), told_by_pictures()
    before = model(**data.batch(np.arange(12))).logits
    fitted(model, data)
    assert torch.equal(model(**data.batch(np.arange(12))).logits, before)
    assert model.heads[0].probes["all"].bias.any()


def test_an_untrained_model_with_a_share_knows_what_its_features_tell():
    model, data = probed(), told_by_pictures()
    pictures = data.take(np.flatnonzero(data.feature_mask["image"]))
    assert accuracy(model, pictures) < 0.6
    share = blend_probes(model, fitted(model, data), told_by_pictures(30))
    assert share > 0.5
    assert accuracy(model, pictures) > 0.9


def test_each_modality_alone_gets_its_own():
    model, data = probed(), told_by_pictures()
    blend_probes(model, fitted(model, data), data)
    batch = data.batch(np.flatnonzero(data.feature_mask["image"]))
    batch["text_mask"] = torch.zeros_like(batch["text_mask"])
    right = model(**batch).logits.argmax(-1) == batch["labels"]
    assert right.float().mean() > 0.9


def test_few_rows_pull_the_shares_to_a_half():
    model, data = probed(), told_by_pictures()
    tasks, shares = fitted(model, data), []
    for count in (1, 4, 20, 60):
        blend_probes(model, tasks, data.take(np.arange(count)))
        shares.append(float(model.heads[0].probes["all"].probe_share))
    assert shares == sorted(shares)
    assert shares[0] < 1.0
    assert shares[-1] > 1.5


def test_no_development_rows_leave_no_share():
    model, data = probed(), told_by_pictures()
    assert blend_probes(model, fitted(model, data), data.take(np.arange(0))) == 0.0


def test_it_is_the_same_again_and_leaves_random_numbers_alone():
    found = []
    for _ in range(2):
        model, data = probed(), told_by_pictures()
        torch.manual_seed(8)
        blend_probes(model, fitted(model, data), data)
        found.append((model.heads[0].probes["all"].state_dict(), torch.rand(1)))
    torch.manual_seed(8)
    assert torch.equal(found[0][1], torch.rand(1))
    for name, value in found[0][0].items():
        assert torch.equal(value, found[1][0][name])


def test_rows_without_a_label_play_no_part():
    model, other, data = probed(), probed(), told_by_pictures()
    known = np.arange(60) < 45
    fitted(model, replace(data, labels=np.where(known, data.labels, -100)))
    fitted(other, data.take(np.flatnonzero(known)))
    assert torch.allclose(
        model.heads[0].probes["all"].weight_image,
        other.heads[0].probes["all"].weight_image,
        atol=1e-5,
    )


def test_one_class_is_nothing_to_fit():
    model, data = probed(), told_by_pictures()
    fitted(model, replace(data, labels=np.zeros(60, dtype=np.int64)))
    assert not model.heads[0].probes["all"].bias.any()


@pytest.mark.parametrize("kind", ["regression", "ranking", "multilabel"])
def test_other_pooled_tasks_have_probes_too(kind):
    data = told_by_pictures()
    strong = (data.labels == 1).astype(np.float32)
    labels = {
        "regression": 5.0 + 2.0 * strong.astype(np.float64),
        "ranking": strong,
        "multilabel": np.stack([strong, 1 - strong], 1),
    }[kind]
    task = TASKS[kind]("it", FACTS)
    entry = classification() | {"kind": kind, "facts": FACTS, "head": task.head}
    model = probed(tasks=[entry])
    data = replace(data, labels=labels)
    blend_probes(model, fitted(model, data, [task]), data)
    pictures = np.flatnonzero(data.feature_mask["image"] & data.text_mask)
    logits = model(**data.batch(pictures)).logits[:, 0].detach().numpy()
    high = strong[pictures] > 0
    assert logits[high].min() > logits[~high].max()


def test_five_modalities():
    model, data = probed(modalities=EVERY), rows(60, modalities=EVERY)
    data = replace(data, groups=np.arange(60))
    blend_probes(model, fitted(model, data), data)
    assert model(**data.batch(np.arange(12))).logits.isfinite().all()


def test_no_part_of_a_probe_is_trained():
    model = probed()
    apply_freezing(model, freezing("none"))
    assert not [name for name, _ in model.named_parameters() if ".probes." in name]
    assert [name for name, _ in model.named_buffers() if ".probes." in name]


def test_a_model_without_probes_is_left_as_it_is():
    model, data = classifier(), told_by_pictures()
    before = model.state_dict()
    assert blend_probes(model, fitted(model, data), data) == 0.0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_columns_that_hardly_vary_have_no_weight():
    """They would be rounding errors, enlarged."""
    model, data = probed(), told_by_pictures()
    features = data.features["image"].astype(np.float32)
    features[..., 5] = 1.0
    features[::2, :, 5] += 0.001
    features[..., 6] = 1.0
    fitted(model, replace(data, features={"image": features.astype(np.float16)}))
    weight = model.heads[0].probes["all"].weight_image
    assert not weight[:, 5:7].any()
    assert weight[:, :3].all()
    assert weight.isfinite().all()


def test_rare_classes_weigh_as_much_as_common_ones():
    """Of rows that tell nothing, each class is as likely as another."""
    model, data = probed(), told_by_pictures()
    features = {"image": np.zeros_like(data.features["image"])}
    rare = replace(data, features=features, labels=np.array([0] * 48 + [1] * 6 + [2] * 6))
    fitted(model, rare)
    bias = model.heads[0].probes["image"].bias
    assert (bias - bias.mean()).abs().max() < 0.2


def test_shares_stay_in_their_bounds_where_all_rows_are_told_apart():
    model, data = probed(), told_by_pictures()
    blend_probes(model, fitted(model, data), data)
    for probe in model.heads[0].probes_by_name.values():
        for share in (probe.trained_share, probe.probe_share):
            assert LEAST <= float(share) <= MOST * 1.0001


def test_rows_of_one_modality_say_nothing_of_the_blend_of_all():
    """Their experts answer them: were they all wrong, the blend of all would not know."""
    model, other, data = probed(), probed(), told_by_pictures()
    tasks = fitted(model, data), fitted(other, data)
    several = data.text_mask & data.feature_mask["image"]
    wrong = replace(data, labels=np.where(several, data.labels, (data.labels + 1) % 3))
    blend_probes(model, tasks[0], data)
    blend_probes(other, tasks[1], wrong)
    one, another = (m.heads[0].probes for m in (model, other))
    assert torch.equal(one["all"].probe_share, another["all"].probe_share)
    assert one["image"].probe_share > another["image"].probe_share
