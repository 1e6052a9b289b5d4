from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fuseline.errors import ContractError
from fuseline.evaluation.robustness import measure
from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.robustness.audit import Shares, of_the_headline
from fuseline.evaluation.robustness.measure import Siege
from fuseline.evaluation.robustness.standing import Standing
from fuseline.evaluation.robustness.target import Goal, Spent, Target, goal_of
from fuseline.learning.attacks import build_attack
from fuseline.learning.model.passes import predict_logits
from fuseline.learning.tasks.classification import Classification
from fuseline.params.evaluate import RobustnessParams
from fuseline.pipeline.parts import Parts
from tests.support.evaluation_params import AUDIT, PIXELS
from tests.support.kills import check_resuming

SCALES = [0.25, 0.5, 1.0, 2.0, 4.0, 64.0]


@pytest.fixture
def make_data(make_data):
    """Rows of pictures alone, all that the models here see."""

    def make(num_rows: int, num_classes: int, **changes):
        pictures_alone = {"text_mask": np.zeros(num_rows, dtype=bool)}
        return make_data(num_rows, num_classes, **(pictures_alone | changes))

    return make


class Linear(nn.Module):
    """Two classes; the margin is `w . x` over all positions, so the exact robust accuracy is
    known: with a budget per position, a row stands iff margin > epsilon * sum of |w_p|."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.randn(4, 6, generator=generator))

    def forward(self, image_features: Tensor, **_: Tensor) -> SimpleNamespace:
        score = (image_features * self.weight).sum((-1, -2))
        return SimpleNamespace(logits=torch.stack([-score / 2, score / 2], dim=-1))

    def radius(self, image_features: Tensor, labels: Tensor, norm: str) -> np.ndarray:
        """Epsilon at which each row falls."""
        score = (image_features * self.weight).sum((-1, -2)) * (2 * labels - 1)
        dual = 2 if norm == "l2" else 1
        return (score / self.weight.norm(p=dual, dim=-1).sum()).detach().numpy()


class Saturated(Linear):
    """So sure of itself that its cross-entropy has no gradient; the margin still has one."""

    def forward(self, **batch: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=super().forward(**batch).logits * 1e4)


class Folded(Linear):
    """Moved on from where it is wrong, it is right again."""

    def forward(self, image_features: Tensor, **rest: Tensor) -> SimpleNamespace:
        logits = super().forward(image_features, **rest).logits
        return SimpleNamespace(logits=(2 * logits).sin())


class Rounded(Linear):
    """Its logits are steps: no gradient anywhere, as in a masked model."""

    def forward(self, image_features: Tensor, **rest: Tensor) -> SimpleNamespace:
        logits = super().forward(image_features, **rest).logits
        return SimpleNamespace(logits=logits.round() + 0.0 * logits)


def settings(audit: dict | None = None, **attack: object) -> RobustnessParams:
    content = {
        "attack": {
            "kind": "pgd",
            "norm": "l2",
            "per": "position",
            "epsilon": {"image_feature": 0.2},
            "num_steps": 12,
            "step_size": 0.2,
            "random_start": True,
            **attack,
        },
        "num_restarts": 2,
        "curve_restarts": 2,
        "scales": SCALES,
        "audit": AUDIT | (audit or {}),
        "image_pixel": PIXELS,
    }
    return RobustnessParams.model_validate(content)


GOAL = goal_of(Classification("label", {"labels": ["no", "yes"]}))


def attack(model: nn.Module, data, params: RobustnessParams, goal: Goal = GOAL, **options) -> dict:
    return watched(model, data, params, goal, **options)[0]


def watched(
    model: nn.Module, data, params: RobustnessParams, goal: Goal = GOAL, **options
) -> tuple[dict, Attacked]:
    """The figures, and what became of each row."""
    logits = predict_logits(model, data, 8)
    correct = logits.argmax(-1) == data.labels
    attacked = Attacked(correct, logits)
    fixed = {
        "batch_size": 8,
        "seed": 1,
        "precision": "fp32",
        "attacked": attacked,
        "parts": Parts(None),
    }
    return Siege(model, goal, data, correct, params, **(fixed | options)).figures(), attacked


def test_scales_beside_the_headline_get_restarts_of_their_own(make_data):
    data = make_data(60, 2)
    full, few = (
        attack(Rounded(), data, settings().model_copy(update={"curve_restarts": restarts}))
        for restarts in (2, 1)
    )
    assert few["robust_accuracy"] == full["robust_accuracy"]
    for figure in ("mean_delta_norm", "max_delta_norm"):
        assert few["robustness"][figure] == full["robustness"][figure]
    backward = (full["robustness"]["backward_passes"], few["robustness"]["backward_passes"])
    assert backward[0] > backward[1]


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_linear_model_has_its_exact_robust_accuracy(make_data, norm, precision):
    model, data = Linear(), make_data(60, 2)
    radius = model.radius(
        torch.from_numpy(data.features["image"]).float(), torch.from_numpy(data.labels), norm
    )
    epsilon = float(np.median(radius[radius > 0]))
    params = settings(norm=norm, epsilon={"image_feature": epsilon})
    found = attack(model, data, params, precision=precision)

    curve = found["robustness"]["curve"]
    expected = [float((radius > epsilon * scale).mean()) for scale in SCALES]
    # Rows at the very edge may fall either way.
    assert [point["robust_accuracy"] for point in curve] == pytest.approx(expected, abs=1.1 / 60)
    assert 0 < found["robust_accuracy"] < (radius > 0).mean()
    assert curve[-1]["robust_accuracy"] == 0.0
    clean = (radius > 0).mean()
    assert found["attack_success_rate"] == pytest.approx(1 - found["robust_accuracy"] / clean)


def test_deltas_stay_in_the_ball_and_reach_its_edge(make_data):
    audit = attack(Linear(), make_data(30, 2), settings())["robustness"]
    assert audit["max_delta_norm"]["image_feature"] == pytest.approx(0.2, rel=1e-4)
    assert 0 < audit["mean_delta_norm"]["image_feature"] <= 0.2 + 1e-6


def test_the_curve_never_rises_and_never_lies_above_fgm(make_data):
    for seed in range(4):
        found = attack(Linear(), make_data(40, 2, seed=seed), settings(num_steps=1, step_size=0.01))
        curve = found["robustness"]["curve"]
        robust = [point["robust_accuracy"] for point in curve]
        assert robust == sorted(robust, reverse=True)
        # One tiny step is far weaker than FGM, and FGM's rows count nevertheless.
        assert all(p["robust_accuracy"] <= p["fgm_robust_accuracy"] for p in curve)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_fgm_is_exact_on_a_linear_model_at_every_scale(make_data, norm):
    model, data = Linear(), make_data(60, 2)
    radius = model.radius(
        torch.from_numpy(data.features["image"]).float(), torch.from_numpy(data.labels), norm
    )
    curve = attack(model, data, settings(norm=norm))["robustness"]["curve"]
    expected = [float((radius > 0.2 * scale).mean()) for scale in SCALES]
    assert [p["fgm_robust_accuracy"] for p in curve] == pytest.approx(expected, abs=1.1 / 60)


def test_only_standing_rows_are_attacked(make_data):
    data = make_data(40, 2)
    found = attack(Linear(), data, settings())
    curve = found["robustness"]["curve"]
    clean = (predict_logits(Linear(), data, 8).argmax(-1) == data.labels).mean()
    assert all(point["attacked_share"] <= clean for point in curve)
    assert curve[-1]["attacked_share"] <= curve[-2]["robust_accuracy"]


def test_a_model_without_right_rows_gives_zeros(make_data):
    data = make_data(12, 2)
    wrong = predict_logits(Linear(), data, 8).argmin(-1)
    found = attack(Linear(), make_data(12, 2, labels=wrong), settings())
    assert found["robust_accuracy"] == found["attack_success_rate"] == 0.0
    assert found["robustness"]["forward_passes"] == 0
    assert found["robustness"]["mean_delta_norm"] == {"image_feature": 0.0}


def test_the_margin_restart_breaks_what_cross_entropy_cannot(make_data):
    found = attack(Saturated(), make_data(30, 2), settings(random_start=False))
    assert found["robustness"]["zero_gradient_share"] > 0.9
    assert found["robustness"]["curve"][-1]["robust_accuracy"] == 0.0


def test_a_masked_model_shows_in_the_audit(make_data):
    """It seems robust at any radius: the share of zero gradients gives it away."""
    found = attack(Rounded(), make_data(30, 2), settings(random_start=False))
    assert found["robustness"]["zero_gradient_share"] == 1.0
    assert found["robustness"]["curve"][-1]["robust_accuracy"] > 0.3


def failed(found: dict) -> set[str]:
    checks = found["robustness"]["audit"]["checks"]
    return {name for name, check in checks.items() if not check["passed"]}


CHECKS = {
    "nothing_to_attack",
    "monotone", "falls_to_chance", "black_box", "more_steps_not_weaker", "not_weaker_than_fgm",
    "slower_not_stronger", "zero_gradients",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["pgd", "apgd"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_an_honest_attack_passes_its_audit(make_data, kind, norm):
    found = attack(Linear(), make_data(60, 2), settings(kind=kind, norm=norm))
    audit = found["robustness"]["audit"]
    assert audit["passed"]
    assert set(audit["checks"]) == CHECKS
    assert audit["left_out"] == {}
    assert audit["rows"] == 20
    assert [point["scale"] for point in audit["curve"]] == [1.0, 2.0, 4.0, 64.0]
    assert all(check["found"] <= check["bound"] for check in audit["checks"].values())
    assert "at most 0.100 expected" in audit["checks"]["falls_to_chance"]["says"]


def test_a_masked_model_fails_the_audit(make_data):
    """No step leads anywhere from an input without gradient; a random search needs none."""
    model = Rounded()
    found = attack(model, make_data(60, 2), settings(epsilon={"image_feature": 0.8}))
    assert {"zero_gradients", "falls_to_chance", "black_box"} <= failed(found)
    assert not found["robustness"]["audit"]["passed"]
    assert (
        "Gradients mislead the attack"
        in (found["robustness"]["audit"]["checks"]["black_box"]["says"])
    )


@pytest.mark.parametrize("gate", ["report", "fail"])
def test_rows_that_text_may_decide_need_not_fall_to_an_attack_on_pictures(make_data, gate):
    params = settings(epsilon={"image_feature": 1e-6}, audit={"gate": gate})
    data = make_data(60, 2, text_mask=np.arange(60) == 7)
    audit = attack(Linear(), data, params)["robustness"]["audit"]
    assert audit["curve"][-1]["robust_accuracy"] > params.audit.max_robust_accuracy
    assert audit["passed"]
    assert set(audit["checks"]) == CHECKS - {"falls_to_chance"}
    assert audit["left_out"] == {
        "falls_to_chance": "The attack leaves text as it was, which may keep a row right however"
        " far the rest moves."
    }


def test_an_attack_with_too_small_steps_is_weaker_than_one_step(make_data):
    found = attack(Linear(), make_data(60, 2), settings(num_steps=1, step_size=0.001))
    assert "not_weaker_than_fgm" in failed(found)


class Bent(Linear):
    """Beyond a little way the loss falls again, for a gradient that does not tell."""

    def forward(self, image_features: Tensor, **rest: Tensor) -> SimpleNamespace:
        length = image_features.flatten(1).norm(dim=-1).detach()
        logits = super().forward(image_features, **rest).logits
        return SimpleNamespace(logits=logits * torch.where(length < 9.0, 1.0, -1.0)[:, None])


def test_robust_accuracy_that_rises_with_epsilon_is_found(make_data):
    """The curve itself cannot rise: the audit's separate runs can. Few steps are checked at their
    end alone, when a wide ball has led them too far."""
    data = make_data(60, 2)
    found = attack(Bent(), data, settings(random_start=False, num_steps=5, step_size=0.5))
    curve = [point["robust_accuracy"] for point in found["robustness"]["curve"]]
    assert curve == sorted(curve, reverse=True)
    assert {"monotone", "falls_to_chance"} <= failed(found)


def test_a_gate_that_is_to_fail_names_the_check_and_what_was_found(make_data):
    params = settings(audit={"gate": "fail"}, epsilon={"image_feature": 0.8})
    with pytest.raises(ContractError) as caught:
        attack(Rounded(), make_data(60, 2), params)
    told = str(caught.value)
    assert told.startswith("evaluate.robustness.audit: ")
    assert "zero_gradients: Share of rows whose loss has no gradient" in told
    assert "1.000, at most 0.100 expected" in told
    assert "gate 'report'" in told
    attack(Linear(), make_data(60, 2), settings(audit={"gate": "fail"}))


def test_the_audit_of_a_model_without_right_rows_does_not_pass(make_data):
    wrong = predict_logits(Linear(), make_data(12, 2), 8).argmin(-1)
    audit = attack(Linear(), make_data(12, 2, labels=wrong), settings())["robustness"]["audit"]
    failed = [name for name, check in audit["checks"].items() if not check["passed"]]
    assert not audit["passed"]
    assert failed == ["nothing_to_attack"]
    assert audit["rows"] == audit["forward_passes"] == audit["backward_passes"] == 0


@pytest.mark.parametrize("kind", ["pgd", "apgd", "random_search"])
def test_rows_without_anything_to_perturb_are_no_fault_of_the_attack(make_data, kind):
    """They stand, and are told apart; a batch of them alone stops nothing."""
    data = make_data(40, 2)
    data.feature_mask["image"][:10] = False
    data.features["image"][:10] = 0
    params = settings(kind=kind, num_steps=30)
    found = attack(Linear(), data, params)["robustness"]
    right = predict_logits(Linear(), data, 8).argmax(-1) == data.labels
    assert found["unmovable_rows"] == right[:10].sum() > 0
    assert found["zero_gradient_share"] == 0.0
    assert found["audit"]["checks"]["zero_gradients"]["passed"]
    if kind != "random_search":
        assert found["audit"]["checks"]["falls_to_chance"]["passed"]


def test_a_black_box_attack_costs_no_backward_pass(make_data):
    params = settings(kind="random_search", num_steps=20)
    found = attack(Linear(), make_data(30, 2), params)["robustness"]
    data = make_data(30, 2)
    right = int((predict_logits(Linear(), data, 8).argmax(-1) == data.labels).sum())
    assert found["backward_passes"] == right, "FGM's alone"
    assert found["curve"][-1]["robust_accuracy"] < 0.2


def test_norms_per_example_are_those_of_the_whole_example(make_data):
    audit = attack(Linear(), make_data(30, 2), settings(per="example"))["robustness"]
    assert audit["max_delta_norm"]["image_feature"] == pytest.approx(0.2, rel=1e-4)


def test_absent_modalities_are_not_attacked(make_data):
    data = make_data(20, 2, feature_mask={"image": np.zeros(20, dtype=bool)})
    found = attack(Linear(), data, settings())
    clean = (predict_logits(Linear(), data, 8).argmax(-1) == data.labels).mean()
    assert found["robust_accuracy"] == pytest.approx(clean)
    assert found["robustness"]["max_delta_norm"] == {"image_feature": 0.0}


def test_a_row_falls_only_on_a_plain_float32_pass(make_data):
    """Wrong gradients weaken the attack; they never make a row count as fallen."""
    data = make_data(30, 2)
    goal = Goal((lambda logits, _: -logits[:, 0],), GOAL.right)
    found = attack(Linear(), data, settings(epsilon={"image_feature": 1e-6}), goal)
    clean = (predict_logits(Linear(), data, 8).argmax(-1) == data.labels).mean()
    assert found["robust_accuracy"] == pytest.approx(clean)


@pytest.mark.parametrize("steps", [{"num_steps": 12}, {"num_steps": 1, "step_size": 0.01}])
def test_logits_under_attack_are_of_what_broke_each_row(make_data, steps):
    """The second attack is weaker than FGM, which breaks rows at smaller scales too."""
    model, data = Linear(), make_data(60, 2)
    clean = predict_logits(model, data, 8)
    correct = clean.argmax(-1) == data.labels
    found, attacked = watched(model, data, settings(**steps))
    fallen = correct & ~attacked.standing
    assert 0 < fallen.sum() < correct.sum()
    assert attacked.standing.mean() == found["robust_accuracy"]
    right = attacked.known_logits.argmax(-1) == data.labels
    assert (right == attacked.standing).all()
    assert (attacked.known_logits[~correct] == clean[~correct]).all(), "never attacked"
    standing = attacked.known_logits[attacked.standing] != clean[attacked.standing]
    assert standing.all(), "attacked, in vain"


def test_a_row_that_fell_within_a_smaller_ball_keeps_the_logits_that_broke_it(make_data):
    """FGM at half the radius turns the folded model, and at the whole one turns it back."""
    model, data = Folded(), make_data(40, 2)
    turn = 2 * np.pi / model.weight.detach().norm(dim=-1).sum().item()
    params = settings(epsilon={"image_feature": turn}, num_steps=1, step_size=1e-4)
    found, attacked = watched(model, data, params)
    assert found["robust_accuracy"] == 0.0
    assert (attacked.known_logits.argmax(-1) != data.labels).all()


def test_logits_are_kept_only_where_they_are_asked_for(make_data):
    data = make_data(20, 2)
    correct = predict_logits(Linear(), data, 8).argmax(-1) == data.labels
    attacked = Attacked(correct, None)
    found = attack(Linear(), data, settings(), attacked=attacked)
    assert attacked.standing.mean() == found["robust_accuracy"]
    with pytest.raises(AssertionError, match="not kept"):
        attacked.known_logits  # noqa: B018


def test_the_same_seed_gives_the_same_figures(make_data):
    data = make_data(30, 2)
    assert attack(Linear(), data, settings()) == attack(Linear(), data, settings())


def test_passes_are_counted_in_rows(make_data):
    data = make_data(10, 2)
    model = Linear()
    right = int((predict_logits(model, data, 8).argmax(-1) == data.labels).sum())
    tiny = settings(epsilon={"image_feature": 1e-7}, num_steps=7)
    found = attack(model, data, tiny)["robustness"]
    # FGM: one gradient, checked at six scales. PGD: two restarts of seven steps at the four
    # scales from the headline up (nothing fell, so the smaller ones need no attack), checked
    # after five and seven.
    assert found["backward_passes"] == right * (1 + 4 * 2 * 7)
    assert found["forward_passes"] == right * (1 + 6 + 4 * 2 * (7 + 2))


@pytest.mark.parametrize("kind", ["pgd", "apgd", "random_search"])
def test_a_siege_that_was_killed_goes_on_piece_by_piece(make_data, tmp_path, monkeypatch, kind):
    """Random starts, norms and what is known of each row are those of a siege that was not."""
    data, found = make_data(40, 2), {}
    monkeypatch.setattr(measure, "ROWS_A_PIECE", 16)

    def besiege(name: str) -> None:
        figures, attacked = watched(
            Linear(), data, settings(kind=kind), parts=Parts(tmp_path / name)
        )
        found[name] = figures, attacked.known_logits.tobytes(), attacked.standing.tobytes()

    parts = check_resuming(monkeypatch, besiege, found.__getitem__)
    assert parts == [*(f"siege-{index}.npz" for index in range(3)), "audit.json"]
    figures, attacked = watched(Linear(), data, settings(kind=kind))
    assert found["whole"] == (figures, attacked.known_logits.tobytes(), attacked.standing.tobytes())


def test_standing_carries_a_break_to_larger_scales_only():
    standing = Standing(np.array([True, True, True, False]), [0.5, 1.0, 2.0])
    standing.break_rows(1, np.array([0]))
    standing.break_rows(2, np.array([1]))
    assert standing.at(0).tolist() == [True, True, True, False]
    assert standing.at(1).tolist() == [False, True, True, False]
    assert standing.at(2).tolist() == [False, False, True, False]
    assert standing.worth_attacking(0, headline=1).tolist() == [0]
    assert standing.worth_attacking(2, headline=1).tolist() == [2]
    assert standing.headline(1) == {
        "robust_accuracy": 0.5,
        "attack_success_rate": pytest.approx(1 / 3),
    }


def test_every_piece_draws_its_own_random_starts(make_data, monkeypatch):
    data = make_data(8, 2)
    monkeypatch.setattr(measure, "ROWS_A_PIECE", 4)
    correct = np.ones(8, dtype=bool)
    attacked = Attacked(correct, None)
    siege = Siege(
        Linear(), GOAL, data, correct, settings(), attacked, 8, 1, "fp32", parts=Parts(None)
    )
    first, second = (siege._piece(index).generator.get_state() for index in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(("slower", "passed"), [(0.5, True), (0.45, True), (0.4, False)])
def test_what_a_slower_attack_breaks_is_a_failed_check(slower, passed):
    """Of 20 rows one may fall to it that stood under the whole attack."""
    shares = Shares(once=0.5, more_steps=0.5, slower=slower, black_box=0.6, whole=0.5, fgm=0.6)
    by_name = {check.name: check for check in of_the_headline(shares, settings().audit)}
    assert by_name["slower_not_stronger"].passed == passed


def test_targeted_margins_climb_to_each_of_the_nearest_wrong_classes():
    goal = goal_of(Classification("label", {"labels": ["a", "b", "c", "d", "e"]}))
    assert goal.num_targets == 3
    assert len(goal.losses) == 5
    logits = torch.tensor([[4.0, 1.0, 3.0, 2.0, 0.0]])
    batch = {"labels": torch.tensor([0]), "target_classes": torch.tensor([[2, 3, 1]])}
    assert [loss(logits, batch).item() for loss in goal.losses[2:]] == [-1.0, -2.0, -3.0]


class Fixed(nn.Module):
    """Of five classes the second, the fourth, the third, the first, the fifth."""

    def forward(self, image_features: Tensor, **_: Tensor) -> SimpleNamespace:
        logits = torch.tensor([1.0, 5.0, 2.0, 3.0, 0.0]) + 0.0 * image_features.sum()
        return SimpleNamespace(logits=logits.repeat(len(image_features), 1))


def test_the_targets_of_a_row_are_the_wrong_classes_that_it_comes_nearest_to(make_data):
    data, seen = make_data(6, 5), []

    def spy(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        seen.append(batch["target_classes"])
        return logits.sum(-1)

    goal = Goal((spy,), GOAL.right, num_targets=3)
    target = Target(Fixed(), data.batch(range(6)), goal, ["image_feature"], "fp32", Spent())
    target.climb(build_attack(settings(num_steps=1).attack), spy, 1.0, torch.Generator())
    for label, targets in zip(data.labels, seen[0].tolist(), strict=True):
        assert targets == [place for place in (1, 3, 2, 0, 4) if place != label][:3]


def test_rows_that_fell_leave_the_attack_and_cost_no_more(make_data):
    data, model, spent, checked = make_data(12, 2), Linear(), Spent(), []
    batch = data.batch(range(12))
    radius = model.radius(batch["image_features"], batch["labels"], "l2")
    epsilon = float(np.median(radius[radius > 0])) * 1.05
    params = settings(num_steps=40, random_start=False, epsilon={"image_feature": epsilon})
    target = Target(model, batch, GOAL, ["image_feature"], "fp32", spent)

    def note(places: Tensor, _: Tensor, fallen: Tensor) -> None:
        checked.append((len(places), int(fallen.sum())))

    attack = build_attack(params.attack)
    ended, fell = target.besiege(attack, GOAL.losses[0], 1.0, torch.Generator(), note)
    assert fell.tolist() == (radius < epsilon).tolist()
    assert 0 < fell.sum() < 12
    left = [rows - fallen for rows, fallen in checked]
    assert [rows for rows, _ in checked[1:]] == left[:-1]
    assert len(checked) == 4
    assert spent.backward == 10 * sum(rows for rows, _ in checked) < 12 * 40
    assert (ended["image_feature"].flatten(1).norm(dim=-1) > 0).all()


def test_of_two_classes_the_margin_is_the_only_target():
    assert GOAL.num_targets == 0
    assert len(GOAL.losses) == 2
