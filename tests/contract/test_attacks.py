"""Every attack in the table keeps the same promises."""

import pytest
import torch

from fuseline.errors import ConfigError
from fuseline.learning.attacks import ATTACKS, build_attack
from fuseline.learning.attacks.apgd import APGD, checkpoints
from fuseline.learning.attacks.geometry import norms
from fuseline.params.attack import AttackParams

NORMS = ["l2", "linf"]
PER = ["position", "example"]
WITHOUT_GRADIENTS = ["random_search"]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def params(kind: str, norm: str = "l2", per: str = "position", **changes: object) -> AttackParams:
    values = {
        "kind": kind,
        "norm": norm,
        "per": per,
        "epsilon": {"text_embedding": 0.5, "image_feature": 2.0},
        "num_steps": 4,
        "step_size": 0.4,
        "random_start": True,
    }
    return AttackParams(**(values | changes))  # type: ignore[arg-type]


def problem(dtype: torch.dtype = torch.float32):
    """A convex loss over two spaces, with some positions that may not move."""
    generator = torch.Generator().manual_seed(0)
    start = {
        "text_embedding": torch.zeros(3, 5, 7, dtype=dtype),
        "image_feature": torch.zeros(3, 4, 6, dtype=dtype),
    }
    weights = {k: torch.randn(v.shape, generator=generator).to(dtype) for k, v in start.items()}
    masks = {k: torch.rand(v.shape[:2], generator=generator) < 0.7 for k, v in start.items()}

    def loss_fn(deltas):
        return sum(
            (weights[k] * d).flatten(1).sum(1) + 0.1 * (d**2).flatten(1).sum(1)
            for k, d in deltas.items()
        )

    return loss_fn, start, masks


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("kind", ATTACKS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_deltas_stay_within_epsilon_and_masked_positions_stay(kind, per, norm, dtype):
    loss_fn, start, masks = problem(dtype)
    attack = build_attack(params(kind, norm, per))
    deltas = attack.perturb(loss_fn, start, masks)
    for space, delta in deltas.items():
        assert torch.isfinite(delta).all()
        slack = 1 + 4 * torch.finfo(dtype).eps
        whole = delta.flatten(1) if per == "example" else delta
        assert norms(whole, norm).max() <= attack.epsilon[space] * slack
        assert (delta[~masks[space]] == 0).all()
        assert not delta.requires_grad


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("kind", ATTACKS)
def test_loss_under_attack_is_not_below_clean(kind, per, norm):
    loss_fn, start, masks = problem()
    deltas = build_attack(params(kind, norm, per)).perturb(loss_fn, start, masks)
    assert (loss_fn(deltas) >= loss_fn(start)).all()


@pytest.mark.parametrize("kind", ATTACKS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_gradients_give_finite_deltas(kind, dtype):
    _, start, masks = problem(dtype)
    attack = build_attack(params(kind, random_start=False))
    deltas = attack.perturb(lambda d: sum((v * 0).sum((1, 2)) for v in d.values()), start, masks)
    assert all((delta == 0).all() for delta in deltas.values())


@pytest.mark.parametrize("kind", ATTACKS)
def test_parameters_and_their_gradients_are_untouched(kind):
    layer = torch.nn.Linear(7, 1)
    before = layer.weight.detach().clone()
    start = {"text_embedding": torch.zeros(3, 5, 7)}
    masks = {"text_embedding": torch.ones(3, 5, dtype=torch.bool)}
    attack = build_attack(params(kind))
    attack.perturb(lambda d: layer(d["text_embedding"]).sum((1, 2)), start, masks)
    assert layer.weight.grad is None
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("kind", ATTACKS)
def test_passes_are_counted(kind):
    loss_fn, start, masks = problem()
    calls = {"forward": 0, "backward": 0}

    def backward(gradient):
        calls["backward"] += 1

    def counted(deltas):
        calls["forward"] += 1
        losses = loss_fn(deltas)
        if losses.requires_grad:
            losses.register_hook(backward)
        return losses

    attack = build_attack(params(kind))
    attack.perturb(counted, start, masks)
    assert vars(attack.passes) == calls
    assert calls["forward"] > 0
    assert (calls["backward"] == 0) == (kind in WITHOUT_GRADIENTS)


@pytest.mark.parametrize("kind", ATTACKS)
@pytest.mark.parametrize("norm", NORMS)
def test_bounds_hold_beside_the_ball(kind, norm):
    """What has bounds, as pixels have, keeps them, and the loss is not below clean."""
    loss_fn, start, masks = problem()
    bounds = {"image_feature": (torch.tensor(-0.1), torch.tensor(0.3))}
    attack = build_attack(params(kind, norm))
    deltas = attack.perturb(loss_fn, start, masks, bounds=bounds)
    assert deltas["image_feature"].min() >= -0.1
    assert deltas["image_feature"].max() <= 0.3
    assert norms(deltas["image_feature"], norm).max() <= 2.0 * (1 + 1e-6)
    assert (loss_fn(deltas) >= loss_fn(start)).all()


@pytest.mark.parametrize("kind", ATTACKS)
def test_a_search_cut_in_two_ends_where_the_whole_one_does(kind):
    loss_fn, start, masks = problem()

    def generator():
        return torch.Generator().manual_seed(5)

    attack = build_attack(params(kind, num_steps=9))
    whole = attack.perturb(loss_fn, start, masks, generator=generator())
    search = attack.begin(start, masks, generator=generator())
    for steps in (2, 5, 100):
        attack.advance(search, loss_fn, steps)
    for space in start:
        assert torch.equal(search.found[space], whole[space])


@pytest.mark.parametrize("kind", sorted(set(ATTACKS) - set(WITHOUT_GRADIENTS)))
def test_rows_that_leave_a_search_change_nothing_for_the_others(kind):
    """A gradient attack draws nothing after its start."""
    loss_fn, start, masks = problem()
    attack = build_attack(params(kind, num_steps=9, random_start=False))
    whole = attack.perturb(loss_fn, start, masks)
    search = attack.begin(start, masks)
    attack.advance(search, loss_fn, 3)
    keep = torch.tensor([True, False, True])
    search = search.take(keep)

    def without(deltas):
        filled = {k: torch.zeros_like(v) for k, v in start.items()}
        for k, delta in deltas.items():
            filled[k] = filled[k].index_put((keep.nonzero()[:, 0],), delta)
        return loss_fn(filled)[keep]

    attack.advance(search, without, 9)
    for space in start:
        assert torch.allclose(search.found[space], whole[space][keep], atol=1e-6)


def crooked(deltas):
    """A loss with a narrow ridge, on which one step size for all steps and rows does badly."""
    x = deltas["text_embedding"].flatten(1)
    scale = torch.tensor([1.0, 5.0, 40.0])[: len(x)]
    return x[:, 0] - scale * (x[:, 1] - x[:, 0] ** 2).abs()


def test_apgd_climbs_a_ridge_higher_than_pgd():
    start = {"text_embedding": torch.zeros(3, 1, 2)}
    masks = {"text_embedding": torch.ones(3, 1, dtype=torch.bool)}
    fixed = {"epsilon": {"text_embedding": 0.5}, "num_steps": 40, "random_start": False}
    found = {
        kind: crooked(build_attack(params(kind, "linf", **fixed)).perturb(crooked, start, masks))
        for kind in ("pgd", "apgd")
    }
    assert (found["apgd"] > found["pgd"]).all()


def test_apgd_checks_where_the_paper_does():
    """Steps of Croce & Hein's schedule for 100: 22, then 19, 16 ... but never under 6 apart."""
    found = checkpoints(100)
    assert list(found)[:6] == [22, 41, 57, 70, 80, 87]
    assert list(found.values())[-1] == 6


@pytest.mark.parametrize("norm", NORMS)
def test_random_search_keeps_what_it_found_and_asks_once_per_step(norm):
    loss_fn, start, masks = problem()
    attack = build_attack(params("random_search", norm, num_steps=60))
    search = attack.begin(start, masks, generator=torch.Generator().manual_seed(0))
    losses = [loss_fn(start)]
    for _ in range(60):
        attack.advance(search, loss_fn, 1)
        losses.append(loss_fn(search.found))
    rises = torch.stack(losses).diff(dim=0)
    assert (rises >= 0).all()
    assert (rises > 0).sum(0).min() > 5
    assert attack.passes.forward == 61


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_with_one_full_step_and_no_random_start_is_fgm(norm):
    loss_fn, start, masks = problem()
    pgd = build_attack(params("pgd", norm, num_steps=1, step_size=1.0, random_start=False))
    fgm = build_attack(params("fgm", norm))
    ours, closed = pgd.perturb(loss_fn, start, masks), fgm.perturb(loss_fn, start, masks)
    for space in start:
        assert torch.equal(ours[space], closed[space])


@pytest.mark.parametrize("kind", ATTACKS)
def test_the_whole_ball_of_an_example_is_used_whatever_may_not_move(kind):
    """Gradients of masked positions take nothing of the step, and a second token moves less for
    the first."""
    loss_fn, start, masks = problem()
    attack = build_attack(params(kind, per="example", num_steps=30))
    deltas = attack.perturb(loss_fn, start, masks)
    for space, delta in deltas.items():
        moves = masks[space].any(1)
        assert torch.allclose(
            norms(delta.flatten(1), "l2")[moves], torch.tensor(attack.epsilon[space])
        )


def test_l2_step_on_a_linear_loss_reaches_the_closed_form_optimum():
    weight = torch.tensor([3.0, 4.0])
    start = {"text_embedding": torch.zeros(1, 1, 2)}
    masks = {"text_embedding": torch.ones(1, 1, dtype=torch.bool)}
    attack = build_attack(params("pgd", num_steps=200, step_size=0.3))
    deltas = attack.perturb(lambda d: (d["text_embedding"] * weight).sum((1, 2)), start, masks)
    expected = 0.5 * weight / 5.0
    assert torch.allclose(deltas["text_embedding"][0, 0], expected, atol=1e-4)


@pytest.mark.parametrize("kind", ATTACKS)
def test_a_batch_in_which_nothing_can_move_is_left_as_it_is(kind):
    attack = build_attack(params(kind))
    search = attack.begin({}, {})
    attack.advance(search, lambda _: torch.zeros(3), 2)
    assert search.take(torch.tensor([True, False, True])).found == {}


def test_every_step_of_apgd_goes_up_the_gradient_of_where_it_begins(monkeypatch):
    """After a restart that is the gradient of the best point, not of the one that was left."""
    _, start, masks = problem()
    begun, plain = [], APGD._with_momentum

    def noted(self, search, gradients):
        leaves = {space: d.detach().requires_grad_() for space, d in search.deltas.items()}
        torch.autograd.backward(falling(leaves).sum())
        begun.append(all(torch.allclose(gradients[s], leaf.grad) for s, leaf in leaves.items()))
        return plain(self, search, gradients)

    def falling(deltas):
        """Highest within the ball, so that long steps overshoot and searches restart."""
        return -sum(((d - 0.05) ** 2).flatten(1).sum(1) for d in deltas.values())

    monkeypatch.setattr(APGD, "_with_momentum", noted)
    build_attack(params("apgd", num_steps=30)).perturb(falling, start, masks)
    assert begun == [True] * 30


def test_an_epsilon_of_zero_is_refused():
    zero = params("pgd").model_copy(update={"epsilon": {"text_embedding": 0.0}})
    with pytest.raises(ConfigError, match=r"attack\.epsilon\.text_embedding: must be above 0"):
        build_attack(zero)


def test_an_unknown_attack_lists_the_known_ones():
    unknown = params("pgd").model_copy(update={"kind": "pgt"})
    with pytest.raises(
        ConfigError, match=r"unknown name 'pgt'\. Valid names: apgd, fgm, pgd, random_search\."
    ):
        build_attack(unknown)
