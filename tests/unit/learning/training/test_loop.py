"""The training loop on a tiny model: it learns, it resumes, it refuses."""

import json
import resource
import shutil
from functools import cache

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from fuseline.data.dataset import MultimodalData
from fuseline.errors import ContractError
from fuseline.learning.objectives.adversarial.methods import METHODS
from fuseline.learning.objectives.contrastive import Contrastive
from fuseline.learning.objectives.pretraining import Mixture
from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.training import checkpoint, loop
from fuseline.learning.training.callbacks import is_save_step
from fuseline.learning.training.checkpoint import PARTS, is_complete, latest_checkpoint
from fuseline.learning.training.development import Development
from fuseline.learning.training.history import WENT_BACK
from fuseline.learning.training.loop import FuselineTrainer, Selection, train
from fuseline.learning.training.totals import Totals
from fuseline.pipeline.interruption import full_disk
from tests.support.adversarial_params import adversarial_params
from tests.support.tiny_models import classifier, objective_params, pretrainer, rows, training

TASK = Classification("label", {"labels": ["ant", "bee", "cat"]})


class Killed(BaseException):
    """Stands for a kill: nothing in the loop catches it."""


def run(work, model, *, data=None, objective=None, **changes):
    data = rows(48) if data is None else data
    torch.manual_seed(1)
    return train(
        model,
        objective or Supervised([TASK], [1.0], 0.2, 0.1, 0.5),
        data,
        Development([TASK], rows(24, seed=1), "fp32"),
        params=training(**changes),
        selection=Selection("macro_f1", greater_is_better=True),
        seed=1,
        precision="fp32",
        work=work,
    )


def dying(after_calls: int):
    """An objective that is killed at a given call."""
    inner, calls = Supervised([TASK], [1.0], 0.2, 0.1, 0.5), 0

    def objective(model, batch):
        nonlocal calls
        calls += 1
        if calls > after_calls:
            raise Killed
        return inner(model, batch)

    return objective


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    model = classifier()
    history = run(tmp_path_factory.mktemp("whole"), model)
    return weights(model), history


def test_it_learns(uninterrupted):
    _, history = uninterrupted
    assert [figures["epoch"] for figures in history] == [1, 2, 3, 4]
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["train_forward_passes"] == 6


@pytest.mark.parametrize("after_calls", [3, 6, 7, 13, 23])
def test_a_killed_run_ends_with_the_same_weights_and_history(tmp_path, uninterrupted, after_calls):
    with pytest.raises(Killed):
        run(tmp_path, classifier(), objective=dying(after_calls))
    model = classifier(seed=9)
    history = run(tmp_path, model if latest_checkpoint(tmp_path) else (model := classifier()))
    expected, expected_history = uninterrupted
    assert same(expected, weights(model))
    assert history == expected_history


@pytest.mark.parametrize("num_epochs", [1, 2])
def test_a_kill_costs_less_than_a_tenth_of_all_steps(tmp_path, num_epochs):
    """Within an epoch too; the epoch's loss, accuracy and passes count what came before."""
    changes = {"num_epochs": num_epochs, "batch_size": 2}
    whole, model = classifier(), classifier(seed=9)
    history = run(tmp_path / "whole", whole, **changes)
    killed_at = 24 * num_epochs - 1
    with pytest.raises(Killed):
        run(tmp_path / "killed", classifier(), objective=dying(killed_at), **changes)
    left = latest_checkpoint(tmp_path / "killed")
    assert 0 <= killed_at - int(left.name.removeprefix("checkpoint-")) < 0.1 * 24 * num_epochs
    assert run(tmp_path / "killed", model, **changes) == history
    assert same(weights(whole), weights(model))


@pytest.mark.parametrize("max_steps", [1, 5, 12, 13, 62, 496, 100_003])
def test_saves_are_twelve_at_most_and_never_far_apart(max_steps):
    saves = [step for step in range(1, max_steps + 1) if is_save_step(step, max_steps)]
    assert len(saves) == min(max_steps, 12)
    assert saves[-1] == max_steps
    longest = max(np.diff([0, *saves]))
    assert longest <= -(-max_steps // 12)


class Forgetful(FuselineTrainer):
    """Forgets one part of each checkpoint when it goes on."""

    part, blank = "", None

    def _load_from_checkpoint(self, checkpoint, model=None):
        super()._load_from_checkpoint(checkpoint, model)
        if self.part == "totals":
            self.totals = Totals()
        else:
            self.resumed[self.part] = self.blank


@pytest.mark.parametrize(
    "part, blank",
    [("totals", None), ("loss_since_log", torch.tensor(0.0)), ("last_logged_step", 3)],
)
def test_what_an_epoch_adds_up_to_is_part_of_a_checkpoint(
    tmp_path, uninterrupted, monkeypatch, part, blank
):
    with pytest.raises(Killed):
        run(tmp_path, classifier(), objective=dying(5))
    monkeypatch.setattr(Forgetful, "part", part)
    monkeypatch.setattr(Forgetful, "blank", blank)
    monkeypatch.setattr("fuseline.learning.training.loop.FuselineTrainer", Forgetful)
    assert run(tmp_path, classifier()) != uninterrupted[1]


class Dying(Mixture):
    """Contrast with a queue, killed at a given call in training."""

    def __init__(self, size: int, after_calls: int = 1000) -> None:
        contrast = Contrastive(objective_params(contrastive_queue_size=size), None)
        super().__init__({"contrastive": contrast}, {"contrastive": 1.0})
        self.left = after_calls

    def __call__(self, model, batch):
        self.left -= model.training
        if self.left < 0:
            raise Killed
        return super().__call__(model, batch)


def contrasting(work, objective, seed=0):
    """Weights and history of a run with that objective; development scores are its losses."""
    model, dev = pretrainer(seed=seed), rows(24, seed=1).batch(range(24))
    torch.manual_seed(1)
    history = train(
        model,
        objective,
        rows(48),
        lambda model: {"loss": objective(model, dev).loss.item()},
        params=training(),
        selection=Selection("loss", greater_is_better=False),
        seed=1,
        precision="fp32",
        work=work,
    )
    return weights(model), history


@pytest.fixture(scope="module")
def contrasted(tmp_path_factory):
    """With a queue of 20 rows: at the end of an epoch its oldest are in the middle of the ring."""
    return contrasting(tmp_path_factory.mktemp("whole"), Dying(20))


@pytest.mark.parametrize("after_calls", [3, 7, 13, 23])
def test_a_killed_run_goes_on_with_its_queue(tmp_path, contrasted, after_calls):
    expected, expected_history = contrasted
    with pytest.raises(Killed):
        contrasting(tmp_path / "killed", Dying(20, after_calls))
    started = latest_checkpoint(tmp_path / "killed") is not None
    found, history = contrasting(tmp_path / "killed", Dying(20), seed=9 if started else 0)
    assert same(expected, found)
    assert history == expected_history


class DyingMethod:
    """A method that remembers something from step to step, killed at a given call in training."""

    def __init__(self, method: str, after_calls: int = 1000) -> None:
        inner = Supervised([TASK], [1.0], 0.2, 0.1, 0.5)
        self.inner = METHODS[method](inner, inner, inner.divergence, adversarial_params(method))
        self.left = after_calls
        self.state_dict = self.inner.state_dict
        self.load_state_dict = self.inner.load_state_dict

    def __call__(self, model, batch):
        self.left -= 1
        if self.left < 0:
            raise Killed
        return self.inner(model, batch)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """By method, weights and history of a run that nobody kills."""

    @cache
    def by(method):
        model = classifier()
        history = run(tmp_path_factory.mktemp(method), model, objective=DyingMethod(method))
        return weights(model), history

    return by


@pytest.mark.parametrize("method", ["free", "smart", "pgd", "freelb"])
@pytest.mark.parametrize("after_calls", [7, 23])
def test_a_killed_run_goes_on_under_attack(tmp_path, attacked, method, after_calls):
    """Deltas by row and the average of weights are part of a checkpoint."""
    expected, history = attacked(method)
    with pytest.raises(Killed):
        run(tmp_path / "killed", classifier(), objective=DyingMethod(method, after_calls))
    model = classifier(seed=9)
    assert run(tmp_path / "killed", model, objective=DyingMethod(method)) == history
    assert same(expected, weights(model))


@pytest.mark.parametrize("method", ["free", "smart"])
def test_without_what_a_method_remembers_a_resumed_run_would_end_elsewhere(
    tmp_path, attacked, method
):
    expected, _ = attacked(method)
    model = classifier(seed=9)
    with pytest.raises(Killed):
        run(tmp_path / "killed", classifier(), objective=DyingMethod(method, 7))
    forgetful = DyingMethod(method)
    forgetful.load_state_dict = lambda _: None
    run(tmp_path / "killed", model, objective=forgetful)
    assert not same(expected, weights(model))


def test_without_its_queue_a_resumed_run_would_end_elsewhere(tmp_path, contrasted, monkeypatch):
    expected, _ = contrasted
    with pytest.raises(Killed):
        contrasting(tmp_path / "killed", Dying(20, 7))
    monkeypatch.setattr(Dying, "load_state_dict", lambda *_: None)
    assert not same(expected, contrasting(tmp_path / "killed", Dying(20))[0])


def test_a_finished_run_is_not_trained_again(tmp_path, uninterrupted):
    run(tmp_path, classifier())
    model = classifier(seed=9)
    history = run(tmp_path, model, objective=dying(0))
    assert same(uninterrupted[0], weights(model))
    assert history == uninterrupted[1]


def test_a_torn_checkpoint_is_never_used(tmp_path):
    run(tmp_path, classifier(), num_epochs=2)
    newest = latest_checkpoint(tmp_path)
    (newest / PARTS).unlink()
    assert not is_complete(newest)
    older = latest_checkpoint(tmp_path)
    assert older != newest
    assert not newest.exists()


def test_a_flipped_byte_makes_a_checkpoint_torn(tmp_path):
    run(tmp_path, classifier(), num_epochs=1)
    checkpoint = latest_checkpoint(tmp_path)
    content = bytearray((checkpoint / PARTS).read_bytes())
    content[-1] ^= 1
    (checkpoint / PARTS).write_bytes(content)
    assert not is_complete(checkpoint)


def test_a_full_disk_names_the_checkpoint_and_the_run_goes_on_from_the_one_before(
    tmp_path, uninterrupted
):
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    inner, calls = Supervised([TASK], [1.0], 0.2, 0.1, 0.5), 0

    def filling(model, batch):
        nonlocal calls
        calls += 1
        if calls == 8:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, unlimited[1]))
        return inner(model, batch)

    try:
        with pytest.raises(Exception) as caught:
            run(tmp_path, classifier(), objective=filling)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    torn = tmp_path / "checkpoint-8"
    assert full_disk(caught.value) == f"{torn / PARTS}: File too large"
    assert torn.exists()
    assert latest_checkpoint(tmp_path).name == "checkpoint-6"
    assert not torn.exists()
    model = classifier(seed=9)
    assert run(tmp_path, model) == uninterrupted[1]
    assert same(uninterrupted[0], weights(model))


@pytest.mark.parametrize(("seconds", "waits"), [(0.0, True), (3600.0, False)])
def test_a_run_waits_for_the_disk_once_a_minute(tmp_path, monkeypatch, seconds, waits):
    """A kill tears nothing that the system has taken; a power cut may, of the last minute."""
    settled = []
    monkeypatch.setattr(checkpoint, "settle", settled.append)
    monkeypatch.setattr(loop, "DURABLE_SECONDS", seconds)
    run(tmp_path, classifier(), num_epochs=1)
    assert bool(settled) == waits
    assert latest_checkpoint(tmp_path)


def test_the_best_epoch_is_kept(tmp_path):
    model = classifier()
    history = run(tmp_path, model, num_epochs=3)
    best = max(figures["eval_macro_f1"] for figures in history)
    data = rows(24, seed=1)
    found = Development([TASK], data, "fp32")(model.eval())["macro_f1"]
    assert found == pytest.approx(best)


def test_patience_ends_a_run(tmp_path):
    history = run(
        tmp_path,
        classifier(),
        num_epochs=8,
        early_stopping_patience=1,
        learning_rate=1e-12,
        encoder_learning_rate=1e-12,
    )
    assert len(history) == 2
    again = run(tmp_path, classifier(), num_epochs=8, early_stopping_patience=1, objective=dying(0))
    assert again == history


IMPATIENT = {
    "num_epochs": 8,
    "early_stopping_patience": 3,
    "learning_rate": 1e-12,
    "encoder_learning_rate": 1e-12,
}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole"), classifier(), **IMPATIENT)


@pytest.mark.parametrize("after_calls", [6, 12, 13])
def test_patience_survives_a_kill(tmp_path, impatient, after_calls):
    """The count of epochs without a better one goes on where it was."""
    with pytest.raises(Killed):
        run(tmp_path, classifier(), objective=dying(after_calls), **IMPATIENT)
    resumed = run(tmp_path, classifier(seed=9), **IMPATIENT)
    assert len(impatient) == 4
    assert resumed == impatient


STEPS_PER_EPOCH = 6


def scripted(work, scores, after_calls=1000, **changes):
    """A run whose development score of each epoch is given; its model, its history, and before
    each step the rate and the weights."""
    model, steps = classifier(), []
    done = latest_checkpoint(work)
    left = iter(scores[int(done.name.split("-")[1]) // STEPS_PER_EPOCH if done else 0 :])

    class Watch(TrainerCallback):
        def on_step_begin(self, *args, optimizer, **kwargs):
            del args, kwargs
            steps.append((optimizer.param_groups[0]["lr"], weights(model)))

    torch.manual_seed(1)
    history = train(
        model,
        dying(after_calls),
        rows(48),
        lambda _: {"macro_f1": next(left)},
        params=training(lr_scheduler="constant_with_warmup", warmup_share=0.0, **changes),
        selection=Selection("macro_f1", True, max_fall=0.1),
        seed=1,
        precision="fp32",
        work=work,
        callbacks=[Watch()],
    )
    return model, history, steps


def test_from_a_fall_training_goes_back_to_the_best_epoch_at_half_the_rates(tmp_path):
    _, history, steps = scripted(tmp_path, [0.5, 0.6, 0.4, 0.7])
    rates, before = zip(*steps, strict=True)
    assert rates == (3e-3,) * 18 + (1.5e-3,) * 6
    best, fallen, after = (before[epoch * STEPS_PER_EPOCH] for epoch in (2, 3, 3))
    assert same(best, after)
    assert not same(before[17], fallen)
    assert [figures["epoch"] for figures in history if WENT_BACK in figures] == [3]


@pytest.fixture(scope="module")
def rising(tmp_path_factory):
    """Steps of a run whose scores never fall."""
    return scripted(tmp_path_factory.mktemp("rising"), [0.1, 0.2, 0.3, 0.4])[2]


@pytest.mark.parametrize(
    "scores", [[0.5, 0.6, 0.51, 0.5], [0.5, 0.4, 0.4, 0.6], [0.1, 0.2, 0.3, 0.0]]
)
def test_a_lesser_fall_or_one_in_the_last_epoch_changes_nothing(tmp_path, rising, scores):
    _, history, steps = scripted(tmp_path, scores)
    assert steps[-1][0] == rising[-1][0]
    assert same(steps[-1][1], rising[-1][1])
    assert not any(WENT_BACK in figures for figures in history)


FALLING = [0.5, 0.6, 0.4, 0.2, 0.7]


@pytest.fixture(scope="module")
def falling(tmp_path_factory):
    """Weights and history of a run that goes back twice."""
    model, history, _ = scripted(tmp_path_factory.mktemp("whole"), FALLING, num_epochs=5)
    return weights(model), history


@pytest.mark.parametrize("after_calls", [13, 19, 21, 25])
def test_a_killed_run_goes_back_as_one_that_was_not(tmp_path, falling, after_calls):
    expected, history = falling
    assert [figures["epoch"] for figures in history if WENT_BACK in figures] == [3, 4]
    with pytest.raises(Killed):
        scripted(tmp_path, FALLING, after_calls, num_epochs=5)
    resumed, again, _ = scripted(tmp_path, FALLING, num_epochs=5)
    assert again == history
    assert same(expected, weights(resumed))


def test_losses_and_runs_without_a_limit_never_go_back():
    assert Selection("f1", True, 0.1).has_fallen(0.5, 0.7)
    assert not Selection("f1", True).has_fallen(0.0, 1.0)
    assert not Selection("rmse", False, 0.1).has_fallen(9.0, 1.0)


def test_a_loss_that_is_not_finite_stops_before_the_weights_move(tmp_path):
    model = classifier()
    before = weights(model)

    def objective(model, batch):
        output = Supervised([TASK], [1.0], 0.0, 0.0, 0.5)(model, batch)
        return type(output)(output.loss * float("nan"))

    with pytest.raises(ContractError, match="the loss is nan at step 1"):
        run(tmp_path, model, objective=objective)
    assert same(before, weights(model))


def test_no_rows_is_an_error(tmp_path):
    data: MultimodalData = rows(8).take(np.array([], dtype=int))
    with pytest.raises(ContractError, match="the training split has no rows"):
        run(tmp_path, classifier(), data=data)


def test_nothing_of_the_clock_is_in_the_history(uninterrupted):
    names = set().union(*uninterrupted[1])
    assert not {name for name in names if "runtime" in name or "second" in name}
    json.dumps(uninterrupted[1], allow_nan=False)


def test_evaluation_does_not_disturb_training(tmp_path, uninterrupted):
    """A development pass that draws random numbers leaves the weights as they would be."""
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()

    class Drawing(Development):
        def __call__(self, model):
            torch.rand(7)
            return super().__call__(model)

    model = classifier()
    torch.manual_seed(1)
    train(
        model,
        Supervised([TASK], [1.0], 0.2, 0.1, 0.5),
        rows(48),
        Drawing([TASK], rows(24, seed=1), "fp32"),
        params=training(),
        selection=Selection("macro_f1", greater_is_better=True),
        seed=1,
        precision="fp32",
        work=tmp_path,
    )
    assert same(uninterrupted[0], weights(model))
