"""Every method of adversarial training keeps the same promises."""

import gc
import weakref

import pytest
import torch

from fuseline.learning.attacks.geometry import norms
from fuseline.learning.objectives.adversarial.methods import METHODS
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.perturbation import Perturbable
from fuseline.learning.objectives.pretraining import Mixture, build_objectives
from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.tasks.classification import Classification
from fuseline.learning.tasks.imbalance import LOG_PRIORS, WEIGHTS
from fuseline.learning.training.pretrain import ADVERSARIAL
from tests.support.adversarial_params import NUM_STEPS as K
from tests.support.adversarial_params import RADII, adversarial_params
from tests.support.tiny_models import CONTINUES_WORD, classifier, objective_params, pretrainer, rows

TASK = Classification("label", {"labels": ["ant", "bee", "cat"]})
# Of a step with two spaces and K steps without a random start: forward, and backward.
COSTS = {
    "fgm": (2, 2),
    "pgd": (K + 1, K + 1),
    "freelb": (K + 1, K + 1),
    "free": (1, 1),
    "trades": (K + 2, K + 2),
    "mart": (K + 1, K + 1),
    "r3f": (2, 2),
    "smart": (K + 3, K + 2),
    "villa": (2 * (K + 1) + 1, 2 * (K + 1) + 1),
}
COMPARE = ["trades", "r3f", "smart"]


def build(
    method: str, unimodal_weight: float = 0.0, task: Classification = TASK, **changes: object
):
    inner, attacked = (Supervised([task], [1.0], 0.2, 0.1, w) for w in (unimodal_weight, 0.0))
    return METHODS[method](inner, attacked, inner.divergence, adversarial_params(method, **changes))


@pytest.fixture
def seen(monkeypatch):
    """The deltas of every pass, and the masks beside them."""
    found, plain = [], Perturbable.inputs

    def inputs(self, deltas):
        kept = {space: delta.detach().clone() for space, delta in deltas.items()}
        found.append((kept, self.masks()))
        return plain(self, deltas)

    monkeypatch.setattr(Perturbable, "inputs", inputs)
    return found


def step(method, model, batch, seed=3, **changes):
    """The loss of a step, its gradients left on the model."""
    torch.manual_seed(seed)
    output = build(method, **changes)(model, batch)
    output.loss.backward()
    return output


@pytest.mark.parametrize("per", ["position", "example"])
@pytest.mark.parametrize("random_start", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_every_pass_stays_within_epsilon_and_what_may_not_move_stays(
    method, random_start, per, seen
):
    objective = build(method, per=per, random_start=random_start)
    model, batch = classifier().train(), rows().batch(range(12))
    for _ in range(6):
        objective(model, batch).loss.backward()
    moved = 0.0
    for deltas, masks in seen:
        for space, delta in deltas.items():
            whole = delta.flatten(1) if per == "example" else delta
            assert norms(whole, "l2").max() <= RADII[space] * (1 + 1e-5)
            assert (delta[~masks[space]] == 0).all()
            moved += float(delta.abs().sum())
    assert moved > 0


@pytest.mark.parametrize("method", METHODS)
def test_all_passes_share_what_they_draw(method):
    """In training mode, with a radius of nothing: a loss under attack is the clean loss, and a
    divergence is nothing. Dropout, or modalities dropped anew, would show."""
    batch = rows().batch(range(12))
    tiny = dict.fromkeys(RADII, 1e-12)
    clean, both = (
        step(method, classifier().train(), batch, epsilon=tiny, clean_weight=weight).loss
        for weight in (1e9, 1.0)
    )
    # At a radius of nothing villa's divergence is nothing beside its loss.
    share = 0.5 if method in COMPARE else 1.0
    assert torch.allclose(both, share * clean, rtol=1e-4)


def weighed(*weights: float) -> Classification:
    return Classification("label", TASK.facts | {WEIGHTS: list(weights)})


@pytest.mark.parametrize("method", METHODS)
def test_weights_weigh_all_that_a_method_adds(method):
    """Its clean loss, its loss under attack and its divergences: a row that counts twice counts
    twice in each, and attacks go where they went."""
    batch = rows().batch(range(12))
    plain, twice = (
        step(method, classifier().train(), batch, task=task, unimodal_weight=0.5)
        for task in (TASK, weighed(2.0, 2.0, 2.0))
    )
    assert twice.loss.item() == pytest.approx(2 * plain.loss.item(), rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_rows_that_do_not_count_change_nothing(method):
    """Rows of the labels that weigh nothing may hold anything."""
    batch = rows().batch(range(12))
    ignored = batch["labels"] != 0
    other = dict(batch)
    noise = torch.randn(batch["image_features"].shape, generator=torch.Generator().manual_seed(0))
    other["image_features"] = torch.where(
        ignored.view(-1, 1, 1), 3 * noise, batch["image_features"]
    )
    found = [
        step(method, classifier().train(), one, task=weighed(3.0, 0.0, 0.0)).loss.item()
        for one in (batch, other)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    plain = [step(method, classifier().train(), one).loss.item() for one in (batch, other)]
    assert plain[0] != pytest.approx(plain[1], rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_adjusted_logits_go_with_every_method(method):
    task = Classification("label", TASK.facts | {LOG_PRIORS: [-0.1, -2.5, -5.0]})
    model, batch = classifier().train(), rows().batch(range(12))
    output = step(method, model, batch, task=task)
    plain = step(method, classifier().train(), batch)
    assert torch.isfinite(output.loss)
    assert output.loss.item() != pytest.approx(plain.loss.item(), rel=1e-3)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("method", METHODS)
def test_costs_are_counted(method, monkeypatch):
    calls = {"forward": 0, "backward": 0}

    def counting(name, plain):
        def counted(*args, **kwargs):
            calls[name] += 1
            return plain(*args, **kwargs)

        return counted

    model = classifier().train()
    monkeypatch.setattr(model, "forward", counting("forward", model.forward))
    monkeypatch.setattr(torch.Tensor, "backward", counting("backward", torch.Tensor.backward))
    monkeypatch.setattr(torch.autograd, "grad", counting("backward", torch.autograd.grad))
    output = step(method, model, rows().batch(range(12)))
    forward, backward = COSTS[method]
    assert output.passes == {"forward": forward - 1, "backward": backward - 1}
    assert calls["forward"] == forward
    # One call of backward through several graphs is a pass over each.
    together = {"r3f": 1, "smart": 1, "villa": 2}.get(method, 0)
    assert calls["backward"] == backward - together


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bf16", [False, True])
def test_a_flat_loss_gives_finite_numbers(method, bf16):
    """Zero gradients at zero deltas, where lengths are divided by."""
    model = classifier().train()
    with torch.no_grad():
        for parameter in model.heads.parameters():
            parameter.zero_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        output = build(method)(model, rows().batch(range(12)))
    output.loss.backward()
    assert torch.isfinite(output.loss)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_with_nothing_to_move_trains_as_without_an_attack(method):
    batch = rows().batch(range(12))
    batch["text_mask"] = torch.zeros_like(batch["text_mask"])
    model = classifier().train()
    output = step(method, model, batch, epsilon={"text_embedding": 1.0})
    assert torch.isfinite(output.loss)
    # Of rows with one modality its expert answers.
    assert model.heads[0].experts.layers["image"].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("method", METHODS)
def test_the_word_embeddings_learn_too(method):
    model = classifier().train()
    step(method, model, rows().batch(range(12)))
    assert model.get_input_embeddings().weight.grad.abs().sum() > 0


@pytest.mark.parametrize("method", ["fgm", "pgd", "freelb"])
def test_gradients_are_those_of_the_weighted_loss_at_the_deltas(method, seen):
    """Parts are passed back as they come; together they are what the loss says."""
    batch, model = rows().batch(range(12)), classifier().eval()
    inner = Supervised([TASK], [1.0], 0.0, 0.0, 0.0)
    objective = METHODS[method](inner, inner, None, adversarial_params(method, clean_weight=3.0))
    output = objective(model, batch)
    output.loss.backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    points = [deltas for deltas, _ in seen[1:]] if method == "freelb" else [seen[-1][0]]
    model.zero_grad()
    perturbable = Perturbable(model, batch, list(RADII))
    attacked = [inner(model, perturbable.inputs(deltas)).loss for deltas in points]
    expected = 0.75 * inner(model, batch).loss + 0.25 * sum(attacked) / len(attacked)
    expected.backward()
    assert torch.allclose(output.loss, expected)
    assert set(found) == {n for n, p in model.named_parameters() if p.grad is not None}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", COMPARE)
def test_a_divergence_pulls_one_side_at_a_time(method, monkeypatch):
    """Each side is pulled towards the other as it stands: no target has a graph."""
    objective, plain = build(method), TASK.divergence
    targets = []

    def divergence(logits, target, batch):
        targets.append(target)
        return plain(logits, target, batch)

    monkeypatch.setattr(TASK, "divergence", divergence)
    objective(classifier().train(), rows().batch(range(12)))
    assert targets
    assert not any(target.requires_grad for target in targets)


@pytest.mark.parametrize("method", ["pgd", "fgm", "freelb", "villa"])
def test_the_loss_under_attack_is_above_the_clean_one(method):
    batch = rows().batch(range(12))
    losses = {
        weight: step(method, classifier(), batch, clean_weight=weight).loss for weight in (0.0, 1e9)
    }
    assert losses[0.0] > losses[1e9]


def test_mart_pulls_most_at_rows_that_it_gets_wrong(monkeypatch):
    """The weight of a row's divergence is 1 less the probability of its label, of the clean pass,
    whatever smoothing the loss has."""
    model, batch = classifier().eval(), rows().batch(range(12))
    objective = build("mart")
    output = model(**batch)
    probabilities = output.logits.softmax(-1).gather(-1, batch["labels"][:, None]).squeeze(-1)
    assert torch.allclose(objective.inner.certainties(output, batch), probabilities, atol=1e-6)
    losses, judged = {}, []
    for part in (objective.inner, objective.objective_under_attack):
        monkeypatch.setattr(part, "modality_dropout", 0.0)
    for wanted in (0.0, 1.0):

        def certainties(given, _, wanted=wanted):
            judged.append(given.logits)
            return torch.tensor(wanted)

        monkeypatch.setattr(objective.inner, "certainties", certainties)
        torch.manual_seed(3)
        losses[wanted] = objective(model, batch).loss.item()
    assert all(torch.equal(logits, output.logits) for logits in judged)
    plain = METHODS["pgd"](
        objective.inner, objective.objective_under_attack, None, adversarial_params("pgd")
    )
    pgd = plain(model, batch).loss.item()
    assert losses[1.0] == pytest.approx(pgd)
    assert losses[0.0] > 1.0001 * pgd


def test_a_share_of_the_steps_is_under_attack_evenly_spaced():
    """And the others are the clean objective's own."""
    objective, model = build("pgd", attacked_share=0.3), classifier().eval()
    batch, attacked = rows().batch(range(12)), []
    for place in range(20):
        torch.manual_seed(place)
        output = objective(model, batch)
        if output.passes:
            attacked.append(place)
        else:
            torch.manual_seed(place)
            assert output.loss == objective.inner(model, batch).loss
    assert attacked == [1, 4, 8, 11, 14, 18]


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_goes_on_with_its_share(method):
    """And each step counts, by every method, with what it remembers beside."""
    batch, model = rows().batch(range(12)), classifier().train()
    whole, first, second = (build(method, attacked_share=0.4) for _ in range(3))
    for place in range(10):
        one = first if place < 3 else second
        if place == 3:
            second.load_state_dict(first.state_dict())
        for objective in (whole, one):
            torch.manual_seed(place)
            output = objective(model, batch)
            output.loss.backward()
            assert bool(output.passes) == (place in (1, 3, 6, 8))
    expected, found = whole.state_dict(), second.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


def test_steps_without_an_attack_need_the_clean_loss():
    with pytest.raises(ValueError, match="clean_weight must be above 0 with an attacked_share"):
        adversarial_params("pgd", attacked_share=0.5, clean_weight=0.0)


def test_pgd_of_one_full_step_is_fgm():
    batch, models = rows().batch(range(12)), [classifier().train() for _ in range(2)]
    pgd = step("pgd", models[0], batch, num_steps=1, step_size=1.0)
    fgm = step("fgm", models[1], batch)
    assert torch.equal(pgd.loss, fgm.loss)
    for first, second in zip(*(model.parameters() for model in models), strict=True):
        assert (first.grad is None and second.grad is None) or torch.equal(first.grad, second.grad)


def test_what_each_modality_says_alone_counts_with_the_clean_loss():
    model = classifier().train()
    step("pgd", model, rows().batch(range(12)), unimodal_weight=0.5)
    assert all(
        layer.weight.grad.abs().sum() > 0 for layer in model.heads[0].experts.layers.values()
    )


@pytest.mark.parametrize("method", COMPARE)
def test_methods_that_only_compare_need_the_clean_loss(method):
    with pytest.raises(ValueError, match="clean_weight must be above 0"):
        adversarial_params(method, clean_weight=0.0)


def test_free_moves_a_rows_delta_a_step_each_time_it_is_seen(seen):
    """Wherever the row stands in the batch, and however long its neighbours are."""
    objective, model, data = build("free", clean_weight=0.0), classifier().eval(), rows()
    objective(model, data.batch([0, 1, 2, 5])).loss.backward()
    objective(model, data.batch([5, 0])).loss.backward()
    (first, _), (second, masks) = seen
    assert all((delta == 0).all() for delta in first.values())
    for space, delta in second.items():
        lengths = norms(delta, "l2")
        expected = masks[space] * 0.5 * RADII[space]
        assert torch.allclose(lengths, expected.float(), rtol=1e-2)


def test_free_keeps_a_rows_delta_when_it_sees_it_clean():
    """At equal weights half the visits are clean: they too move the delta on."""
    objective, model, batch = build("free"), classifier().eval(), rows(40).batch(range(40))
    torch.manual_seed(0)
    for _ in range(6):
        objective(model, batch).loss.backward()
    zero = torch.zeros(40, 4, 12)
    kept = objective._memory.recall("image_feature", batch["row_numbers"], zero)
    lengths = norms(kept, "l2")[batch["image_mask"]]
    assert (lengths > 0.9 * RADII["image_feature"]).float().mean() > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_nothing_of_a_step_outlives_it(method, monkeypatch):
    """A graph that a hook holds in a circle is never freed."""
    kept, plain = [], Trial.__init__

    def remembered(self, *args, **kwargs):
        plain(self, *args, **kwargs)
        kept.append(weakref.ref(self.perturbed))

    monkeypatch.setattr(Trial, "__init__", remembered)
    step(method, classifier().train(), rows().batch(range(12)))
    gc.collect()
    assert [reference() for reference in kept] == [None]


def test_the_proximal_term_holds_the_word_embeddings_too():
    """What the average gives is its own, to the last weight, and a target."""
    objective, model = build("smart"), classifier().eval()
    batch = rows().batch(range(12))
    objective(model, batch).loss.backward()
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(torch.randn(50, 16))
    trial = Trial(model, batch, list(RADII))
    trial.clean(objective.inner)
    proximal = objective._proximal(trial, trial.perturbed.output)
    assert proximal > 1e-6


def test_a_random_start_per_example_fills_the_ball_whatever_may_not_move():
    attack = build("r3f", per="example").attack
    mask = torch.zeros(400, 64, dtype=torch.bool)
    mask[:, :2] = True
    drawn = attack.random_delta(
        torch.zeros(400, 64, 16), mask, 1.0, torch.Generator().manual_seed(0)
    )
    lengths = norms(drawn.flatten(1), "l2")
    assert lengths.max() <= 1.0 + 1e-5
    assert 0.45 < lengths.mean() < 0.55


@pytest.mark.parametrize("clean_weight", [0.0, 1.0])
def test_freelb_starts_one_step_from_the_clean_input(clean_weight, seen):
    step("freelb", classifier().eval(), rows().batch(range(12)), clean_weight=clean_weight)
    points = [norms(deltas["image_feature"], "l2").max() for deltas, _ in seen]
    assert torch.allclose(points[-K], torch.tensor(0.5 * RADII["image_feature"]), rtol=1e-4)


def test_free_sees_rows_clean_by_the_weights_share(seen):
    objective, model = build("free", clean_weight=3.0), classifier().eval()
    batch = rows(120).batch(range(120))
    torch.manual_seed(0)
    for _ in range(2):
        objective(model, batch).loss.backward()
    deltas, masks = seen[1]
    moves = masks["image_feature"].any(1)
    moved = (deltas["image_feature"] != 0).flatten(1).any(1)[moves].float().mean()
    assert 0.15 < moved < 0.35


@pytest.mark.parametrize("method", ADVERSARIAL)
def test_pre_training_objectives_are_attacked_as_they_draw(method, seen):
    """Whichever is drawn is drawn in every pass, with the same masks and pairs."""
    objectives = build_objectives(objective_params(), ["text", "image"], CONTINUES_WORD)
    model, batch = pretrainer().train(), rows(24).batch(range(24))
    mixture = Mixture(objectives, dict.fromkeys(objectives, 1.0))
    objective = ADVERSARIAL[method](mixture, mixture, None, adversarial_params(method))
    for seed in range(12):
        torch.manual_seed(seed)
        output = objective(model, batch)
        output.loss.backward()
        assert torch.isfinite(output.loss)
    assert sum(float(d.abs().sum()) for deltas, _ in seen for d in deltas.values()) > 0


def test_draws_of_a_random_start_are_not_those_of_the_next_step():
    model, batch = classifier().train(), rows().batch(range(12))
    torch.manual_seed(0)
    build("pgd", random_start=True)(model, batch)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    trial = Trial(model, batch, list(RADII))
    trial.clean(build("pgd").inner)
    assert torch.equal(after, torch.get_rng_state())
