"""Every task in the table keeps the same promises."""

import json
import math
from dataclasses import replace
from itertools import combinations
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from fuseline.data.dataset import NO_LABEL
from fuseline.errors import ContractError
from fuseline.evaluation.robustness.target import Spent, Target, goal_of
from fuseline.learning.attacks import build_attack
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.heads import HEADS
from fuseline.learning.tasks import TASKS
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.training.adversarial_finetune import _RobustDevelopment
from fuseline.learning.training.development import Development
from fuseline.params.attack import AttackParams
from fuseline.params.base import BaseParams
from tests.support.tasks import SMOOTHED, WORDS, cells, entry, made, perfect, wrong
from tests.support.tiny_models import EVERY, config

ROWS = [kind for kind, task in TASKS.items() if not task.rows_are_events]
STAND_ALONE = [kind for kind in ROWS if TASKS[kind].rows_stand_alone]
FGM = AttackParams(
    kind="fgm", norm="l2", per="position", epsilon={"text_embedding": 0.5}, num_steps=1,
    step_size=1.0, random_start=False,
)  # fmt: skip
WITH_TARGET = [kind for kind, task in TASKS.items() if task.target_kinds]


def everything(kind):
    """Task, rows, model, their batch and the model's logits."""
    task, data, model = made(kind)
    batch = data.batch(np.arange(len(data)))
    return task, data, model, batch, model(**batch).by_task[0]


def perfect_outputs(task, data):
    batch = data.batch(np.arange(len(data)))
    return task.outputs(perfect(task, batch[task.key]), batch).numpy()


def random_outputs(task, data):
    batch = data.batch(np.arange(len(data)))
    logits = perfect(task, batch[task.key])
    noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(0))
    return task.outputs(noise, batch).numpy()


def unlabelled(task, data):
    """The same rows, none of which has a label."""
    labels = data.labels_of(task.key)
    if labels.dtype == bool:
        none = np.zeros_like(labels)
        nothing = {name: np.zeros_like(mask) for name, mask in data.feature_mask.items()}
        return replace(data, labels=none, feature_mask=nothing)
    missing = np.nan if np.issubdtype(labels.dtype, np.floating) else NO_LABEL
    return replace(data, labels=np.full_like(labels, missing))


@pytest.mark.parametrize("kind", ROWS)
def test_the_table_and_the_classes_agree(kind):
    task, _, _ = made(kind)
    assert TASKS[kind].kind == kind
    assert task.head["kind"] in HEADS
    assert task.label_names == sorted(task.label_names)


@pytest.mark.parametrize("kind", ROWS)
def test_labels_are_there_where_a_cell_is(kind):
    task, data, _ = made(kind)
    found = cells(kind)
    labels = data.labels_of(task.key)
    assert len(labels) == len(data)
    expected = [value is not None for value in found.values]
    if kind == "retrieval":
        expected = list(data.text_mask & data.feature_mask["image"])
    assert task.has_label(labels).tolist() == expected
    assert 0 < sum(expected) < len(expected)
    assert task.own_rows(data).tolist() == np.flatnonzero(expected).tolist()


@pytest.mark.parametrize("kind", WITH_TARGET)
def test_nothing_to_learn_is_refused(kind):
    with pytest.raises(ContractError, match=r"^examples, it: expected .* Choose|Map a column"):
        TASKS[kind].learn(cells(kind, values=[None] * 24))


@pytest.mark.parametrize("kind", ROWS)
def test_losses_are_finite_and_nothing_without_a_label(kind):
    task, data, _, batch, logits = everything(kind)
    for smoothing in (0.0, 0.2):
        losses = task.losses(logits, batch, smoothing=smoothing)
        has = torch.from_numpy(task.has_label(data.labels))
        assert losses.shape == (len(data),)
        assert torch.isfinite(losses).all()
        assert (losses[~has] == 0).all()
        assert (losses[has] > 0).all()


@pytest.mark.parametrize("kind", ROWS)
def test_losses_are_float32(kind):
    task, _, _, batch, logits = everything(kind)
    assert task.losses(logits, batch).dtype == torch.float32


@pytest.mark.parametrize("kind", ROWS)
def test_the_loss_reaches_the_backbone(kind):
    task, _, model, batch, logits = everything(kind)
    task.losses(logits, batch).mean().backward()
    gradients = [p.grad for p in model.fuseline.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert sum(gradient.abs().sum() for gradient in gradients) > 0


@pytest.mark.parametrize("kind", STAND_ALONE)
def test_rows_without_a_label_move_nothing(kind):
    task, data, model = made(kind)
    rows = np.flatnonzero(~task.has_label(data.labels))
    batch = data.batch(rows)
    task.losses(model(**batch).logits, batch).sum().backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in model.parameters())


@pytest.mark.parametrize("kind", ROWS)
def test_a_diverged_model_shows_in_its_loss(kind):
    """Else a run of numbers that are none would look like a perfect one."""
    task, data, _, batch, logits = everything(kind)
    has = torch.from_numpy(task.has_label(data.labels))
    assert not torch.isfinite(task.losses(logits * torch.nan, batch)[has]).any()


@pytest.mark.parametrize("kind", ROWS)
def test_smoothing_counts_where_there_are_classes(kind):
    task, _, _, batch, logits = everything(kind)
    plain, smooth = (task.losses(logits * 3, batch, smoothing=s) for s in (0.0, 0.3))
    assert torch.equal(plain, smooth) == (kind not in SMOOTHED)


@pytest.mark.parametrize("kind", ROWS)
def test_a_divergence_is_nothing_between_equals_and_pulls_towards_its_target(kind):
    task, _, _, batch, logits = everything(kind)
    target = logits.detach()
    assert task.divergence(target, target, batch).abs().max() < 1e-6
    far = (2.0 * target.roll(1, 0) + 0.5).requires_grad_()
    apart = task.divergence(far, target, batch)
    assert apart.shape == (len(target),)
    assert (apart >= 0).all()
    (gradient,) = torch.autograd.grad(apart.sum(), far)
    assert torch.isfinite(gradient).all()
    nearer = task.divergence(far.detach() - 1e-2 * gradient, target, batch)
    assert 0 < nearer.sum() < apart.sum()


@pytest.mark.parametrize("kind", ROWS)
def test_a_divergence_of_extreme_logits_is_finite(kind):
    task, _, _, batch, logits = everything(kind)
    sure = (1e4 * logits.detach()).requires_grad_()
    apart = task.divergence(sure, -sure.detach(), batch)
    (gradient,) = torch.autograd.grad(apart.sum(), sure)
    assert torch.isfinite(apart).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", ROWS)
def test_no_row_without_a_label_is_right(kind):
    task, data, _, batch, logits = everything(kind)
    has = torch.from_numpy(task.has_label(data.labels))
    best = perfect(task, batch[task.key])
    worst = wrong(task, batch[task.key])
    for guess in (logits, best, worst, torch.zeros_like(best)):
        right = task.right(guess, batch)
        assert (right.shape, right.dtype) == ((len(data),), torch.bool)
        assert not right[~has].any()
    assert task.right(best, batch)[has].all()
    assert not task.right(worst, batch)[has].all()


@pytest.mark.parametrize("kind", ROWS)
def test_no_answer_given_to_all_rows_gets_more_of_them_right_than_told(kind):
    task, data, _, batch, _ = everything(kind)
    own = task.own_rows(data)
    told = task.one_answer_right(data.labels[own])
    best = perfect(task, batch[task.key])
    answers = list(best)
    if kind == "token_classification":
        answers = list(torch.eye(best.shape[-1]))
    if kind == "regression":
        answers = [(one + other) / 2 for one, other in combinations(best, 2)]
    right = [task.right(answer.expand_as(best), batch)[own].float().mean() for answer in answers]
    assert float(max(right)) == pytest.approx(told)


@pytest.mark.parametrize("kind", ROWS)
def test_a_perfect_guess_costs_less_than_a_random_one(kind):
    task, _, _, batch, _ = everything(kind)
    best = perfect(task, batch[task.key])
    noise = torch.randn(best.shape, generator=torch.Generator().manual_seed(0))
    assert task.losses(best, batch).mean() < 0.7 * task.losses(noise, batch).mean()


@pytest.mark.parametrize("kind", ROWS)
def test_a_perfect_guess_scores_perfectly_and_a_random_one_worse(kind):
    task, data, _ = made(kind)
    best = task.scores(perfect_outputs(task, data), data)[task.selection_metric]
    random = task.scores(random_outputs(task, data), data)[task.selection_metric]
    if task.greater_is_better:
        assert best == pytest.approx(1.0)
        assert random < 0.8
    else:
        assert best == pytest.approx(0.0, abs=1e-5)
        assert random > 1.0


@pytest.mark.parametrize("kind", ROWS)
def test_outputs_have_one_shape_whatever_the_batch(kind):
    """Batches of short and of long texts go together, and give what the whole batch gives."""
    task, data, model, batch, logits = everything(kind)
    order = np.argsort(data.lengths, kind="stable")
    parts = []
    for rows in (order[:3], order[3:4], order[4:]):
        some = data.batch(rows)
        parts.append(task.outputs(model(**some).logits, some))
    together = torch.cat(parts)
    whole = task.outputs(logits, batch)[order]
    if kind in ("token_classification", "generation"):
        # What lies beyond a row's own labels is of no account.
        asked = batch[task.key][order] != NO_LABEL
        together, whole = together[asked], whole[asked]
    torch.testing.assert_close(together, whole, rtol=1e-4, atol=1e-4)
    (one,) = predict(model, [task], data, 5)
    assert len(one.outputs) == len(one.losses) == len(one.right) == len(task.own_rows(data))


@pytest.mark.parametrize("kind", STAND_ALONE)
def test_a_rows_loss_is_its_own(kind):
    task, data, model, batch, logits = everything(kind)
    together = task.losses(logits, batch)
    for row in range(6):
        alone = data.batch([row])
        torch.testing.assert_close(
            task.losses(model(**alone).logits, alone)[0], together[row], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("case", ["all", "one row", "no row", "no labels"])
def test_scores_are_finite(kind, case, recwarn):
    task, data, _ = made(kind)
    outputs = random_outputs(task, data)
    own = task.own_rows(data)
    chosen = {"one row": own[:1], "no row": own[:0]}.get(case, np.arange(len(data)))
    outputs, data = outputs[chosen], data.take(chosen)
    if case == "no labels":
        data = unlabelled(task, data)
    found = task.scores(outputs, data)
    assert task.selection_metric in found
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())
    assert set(found) == set(task.scores(random_outputs(*made(kind)[:2]), made(kind)[1]))
    assert task.report(outputs, data).strip()
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


@pytest.mark.parametrize("kind", ROWS)
def test_rows_without_a_label_change_no_score(kind):
    task, data, _ = made(kind)
    outputs, own = random_outputs(task, data), task.own_rows(data)
    if kind == "retrieval":
        pytest.skip("its rows without a label lack what a direction needs")
    assert task.scores(outputs, data) == task.scores(outputs[own], data.take(own))


@pytest.mark.parametrize("kind", ROWS)
def test_every_row_is_spelt(kind):
    task, data, _ = made(kind)
    labels, guesses = task.spelt(perfect_outputs(task, data), data)
    assert len(labels) == len(guesses) == len(data)
    assert all(isinstance(text, str) for text in [*labels, *guesses])
    if kind in ("generation", "retrieval"):
        assert set(labels) == {""}, "they have no classes to spell, or write texts elsewhere"
        return
    has = task.has_label(data.labels)
    assert [bool(text) for text in labels] == has.tolist()
    agree = np.array(labels) == np.array(guesses)
    # Numbers are rounded, and no logit is quite 0 or 1.
    assert agree[has].all() or kind in ("ranking", "regression")


@pytest.mark.parametrize("kind", ROWS)
def test_probabilities_are_a_table(kind):
    task, data, _ = made(kind)
    found = task.probabilities(random_outputs(task, data))
    assert (found.ndim, len(found), found.dtype) == (2, len(data), np.float32)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", ROWS)
def test_a_saved_model_has_the_same_task(kind, tmp_path):
    task, _, model, batch, logits = everything(kind)
    model.save_pretrained(tmp_path)
    loaded = FuselineForTasks.from_pretrained(tmp_path).eval()
    (again,) = build_tasks(loaded.config.tasks)
    assert (again.name, again.key, again.facts) == (task.name, task.key, task.facts)
    assert json.loads(json.dumps(task.facts, allow_nan=False)) == task.facts
    with torch.no_grad():
        losses = again.losses(loaded(**batch).logits, batch)
    torch.testing.assert_close(losses, task.losses(logits, batch).detach())


@pytest.mark.parametrize("kind", WITH_TARGET)
def test_labels_of_other_rows_are_made_from_the_facts_alone(kind):
    """What was learnt does not hang on the rows that are labelled."""
    task, data, _ = made(kind)
    few = np.arange(7)
    found = cells(kind)
    some = replace(
        found,
        values=found.values[:7],
        texts=found.texts[:7],
        data=data.take(few),
    )
    labels = task.labels(some)
    width = labels.shape[1] if labels.ndim > 1 else None
    np.testing.assert_array_equal(labels, data.labels[few][..., slice(width)])


def all_at_once():
    """A model of every task, and rows that have labels of some: row 1 lacks the first's."""
    entries, labels = [], {}
    for index, kind in enumerate(ROWS):
        found = cells(kind)
        key = "labels" if index == 0 else f"{kind}_labels"
        if index == 0:
            found = replace(found, values=[None, None, *found.values[2:]])
        entries.append(entry(kind, found, name=kind, key=key))
        labels[key] = build_tasks(entries)[index].labels(found)
    data = replace(found.data, labels=labels.pop("labels"), other_labels=labels)
    torch.manual_seed(0)
    return build_tasks(entries), data, FuselineForTasks(config(tasks=entries)).eval()


def test_tasks_side_by_side():
    tasks, data, model = all_at_once()
    assert [task.key for task in tasks][:2] == ["labels", "generation_labels"]
    batch = data.batch(np.arange(len(data)))
    for task, logits in zip(tasks, model(**batch).by_task, strict=True):
        has = torch.from_numpy(task.has_label(data.labels_of(task.key)))
        losses = task.losses(logits, batch)
        assert torch.isfinite(losses).all()
        assert ((losses > 0) == has).all()
    found = predict(model, tasks, data, 8)
    for task, one in zip(tasks, found, strict=True):
        assert len(one.outputs) == task.has_label(data.labels_of(task.key)).sum()
        assert all(math.isfinite(v) for v in task.scores(one.outputs, one.data).values())


def attacked_target(tasks, data, model):
    batch = data.batch(tasks[0].own_rows(data))
    target = Target(model, batch, goal_of(tasks[0]), ["text_embedding"], "fp32", Spent())
    climb = target.climb(build_attack(FGM), tasks[0].losses, 1.0, torch.Generator())
    return target.fallen(climb).tolist()


def standing(tasks, data, model):
    base = BaseParams(seed=0, modalities=["text", "image"], num_threads=1, precision="fp32")
    params = Mock(attack=FGM)
    development = _RobustDevelopment(Development(tasks, data, "fp32"), data, params, base)
    return development._standing(model).tolist()


def predicted(tasks, data, model):
    (found,) = predict(model, tasks[:1], data, 8)
    return found.outputs.tolist(), found.losses.tolist(), found.right.tolist()


@pytest.mark.parametrize("ask", [predicted, attacked_target, standing])
def test_other_tasks_texts_are_not_decoded_for_the_first(ask, monkeypatch):
    """A decoder that is given labels computes logits over the vocabulary at each of their places;
    nobody reads them here, and what is read does not hang on them."""
    tasks, data, model = all_at_once()
    decoder = model.heads[ROWS.index("generation")].decoder
    widths = set()
    decoder.register_forward_pre_hook(
        lambda _, __, given: widths.add(given["input_ids"].shape[1]), with_kwargs=True
    )
    found = ask(tasks, data, model)
    assert widths == {1}
    for module in (
        "learning.tasks.prediction",
        "evaluation.robustness.target",
        "learning.training.adversarial_finetune",
    ):
        monkeypatch.setattr(f"fuseline.{module}.with_labels_of", lambda batch, _: batch)
    assert ask(tasks, data, model) == found
    assert max(widths) > 1


def test_a_row_that_only_another_task_knows_teaches_that_task():
    tasks, data, model = all_at_once()
    # Rows 0 and 1 share a group, so that retrieval needs others beside them.
    batch = data.batch([0, 1, 2, 3])
    assert not tasks[0].has_label(data.labels[:2]).any()
    pairs = zip(tasks, model(**batch).by_task, strict=True)
    first, *others = [task.losses(logits, batch)[:2] for task, logits in pairs]
    assert (first == 0).all()
    assert all((losses > 0).any() for losses in others)


def test_retrieval_of_every_modality():
    """A modality that no row has is no direction to score, and the head knows its order."""
    from tests.support.tiny_models import rows

    data = rows(24, modalities=EVERY)
    found = cells("retrieval", data=data)
    one = entry("retrieval", found)
    (task,) = build_tasks([one])
    data = replace(data, labels=task.labels(found))
    torch.manual_seed(0)
    model = FuselineForTasks(config(modalities=EVERY, tasks=[one])).eval()
    assert task.facts["modalities"] == model.config.modalities
    batch = data.batch(np.arange(24))
    assert model(**batch).logits.shape[:2] == (24, len(EVERY))
    outputs = np.tile(5.0 * np.eye(24, dtype=np.float32)[:, None], (1, len(EVERY), 1))
    assert task.scores(outputs, data)["recall_at_1"] == 1.0


def test_the_tiny_words_are_those_of_the_labels():
    assert made("classification")[0].label_names == sorted(WORDS[:3])
