"""Is a model robust, or only the attack on it weak? Checks for masked gradients (Athalye et al.
2018, arXiv 1802.00420; Carlini et al. 2019, arXiv 1902.06705)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from fuseline.data.dataset import MultimodalData
from fuseline.errors import ContractError
from fuseline.evaluation.robustness.target import Goal, Spent, Target
from fuseline.learning.attacks import Attack, build_attack
from fuseline.learning.model.passes import Model, length_batches
from fuseline.params.attack import PIXEL_SPACE, SPACE_OF, AttackParams
from fuseline.params.evaluate import HEADLINE, AuditParams, RobustnessParams
from fuseline.pipeline.precision import Precision

MORE_STEPS = 2
# Of an attack of another kind: times the steps, and what share of epsilon each may take.
SLOWER, SMALL_STEP = 3, 0.05
FALLS_TO_CHANCE = "falls_to_chance"


@dataclass
class Probe:
    """Attacks that run each by itself.

    The curve of a `Siege` never rises and never lies above FGM by the way its rows are counted;
    these runs have nothing of one another, so that they can.
    """

    model: Model
    goal: Goal
    data: MultimodalData
    batch_size: int
    precision: Precision
    seed: int
    spent: Spent = field(default_factory=Spent)

    def standing(self, params: AttackParams, rows: np.ndarray, scale: float) -> np.ndarray:
        """(n,) bool: which of the `rows` are right after one run at that scale. All runs begin at
        the same random point, scaled."""
        attack = build_attack(params)
        generator = torch.Generator().manual_seed(self.seed)
        stands = np.zeros(len(self.data), dtype=bool)
        for part in length_batches(self.data, rows, self.batch_size):
            target = self._target(attack, part)
            _, fallen = target.besiege(attack, self.goal.losses[0], scale, generator)
            stands[part] = ~fallen.numpy()
        return np.asarray(stands[rows])

    def fast_gradient(self, params: AttackParams, rows: np.ndarray) -> tuple[np.ndarray, float]:
        """(n,) bool: which of the `rows` are right under FGM at scale 1; and the share of them
        whose loss has no gradient at the clean input."""
        attack = build_attack(params.model_copy(update={"kind": "fgm", "random_start": False}))
        generator = torch.Generator().manual_seed(self.seed)
        stands, without = np.zeros(len(self.data), dtype=bool), 0
        for part in length_batches(self.data, rows, self.batch_size):
            target = self._target(attack, part)
            deltas = target.climb(attack, self.goal.own, HEADLINE, generator)
            stands[part] = ~target.fallen(deltas).numpy()
            without += int(target.unmoved(deltas).sum())
        return np.asarray(stands[rows]), without / max(len(rows), 1)

    def _target(self, attack: Attack, rows: np.ndarray) -> Target:
        batch = self.data.batch(rows)
        return Target(self.model, batch, self.goal, attack.spaces, self.precision, self.spent)


@dataclass(frozen=True)
class Check:
    """One finding: it passes if what was found is at most its bound.

    Attributes:
        says: what `found` is, in words.
        remedy: what to do where it fails.
    """

    name: str
    found: float
    bound: float
    says: str
    remedy: str

    @property
    def passed(self) -> bool:
        # Shares of few rows: sums of them are a little off.
        return self.found <= self.bound + 1e-9

    @property
    def sentence(self) -> str:
        """All of it, for a reader."""
        told = f"{self.says}: {self.found:.3f}, at most {self.bound:.3f} expected."
        return told if self.passed else f"{told} {self.remedy}"


@dataclass(frozen=True)
class Shares:
    """Of the audited rows, those that stand at the headline scale.

    Attributes:
        once: under one run of the attack.
        more_steps: under one with more steps.
        slower: under an attack of another kind, with many small steps.
        black_box: under a random search.
        whole: under the whole attack: FGM, and every restart.
        fgm: under FGM.
    """

    once: float
    more_steps: float
    slower: float
    black_box: float
    whole: float
    fgm: float


def audit_attack(
    probe: Probe,
    standing: np.ndarray,
    under_fgm: np.ndarray,
    movable: np.ndarray,
    params: RobustnessParams,
    zero_gradients: float,
) -> dict[str, Any]:
    """Attack a sample of the rows that are right without an attack anew, and compare. Rows with
    nothing to perturb would stand whatever the attack, and are left out. So would those that a
    modality decides which the attack spares: where any row has one, none is asked to fall.

    Args:
        probe: runs the attacks.
        standing: (N,) bool, right under the whole attack that is audited, at the headline scale.
        under_fgm: (N,) bool, the same of FGM alone.
        movable: (N,) bool, right without an attack and with anything that may move.
        params: that attack, its scales, and the bounds of the audit.
        zero_gradients: share of rows whose loss has no gradient at the clean input.

    Returns:
        `passed`, `rows`, the passes it cost, `curve` of the separate runs, `checks` by name, and
        `left_out`, by name why a check says nothing here.

    Raises:
        ContractError: a check failed and the gate is to fail.
    """
    right = np.flatnonzero(movable)
    drawn = np.random.default_rng(probe.seed).permutation(right)[: params.audit.max_rows]
    rows, headline = np.sort(drawn), params.scales.index(HEADLINE)
    # Masked gradients show as epsilon grows; below the headline runs would only cost.
    scales = params.scales[headline:]

    def stand(scale: float, **changes: Any) -> float:
        """Share of the rows that stand under a run of their own."""
        return _share(probe.standing(params.attack.model_copy(update=changes), rows, scale))

    curve = [stand(scale) for scale in scales]
    shares = Shares(
        once=curve[0],
        more_steps=stand(HEADLINE, num_steps=MORE_STEPS * params.attack.num_steps),
        slower=stand(
            HEADLINE,
            kind="pgd" if params.attack.kind == "apgd" else "apgd",
            num_steps=SLOWER * params.attack.num_steps,
            step_size=SMALL_STEP,
        ),
        black_box=stand(HEADLINE, kind="random_search", num_steps=params.audit.black_box_queries),
        whole=_share(standing[rows]),
        fgm=_share(under_fgm[rows]),
    )
    left_out = _left_out(probe.data, params.attack)
    every = [
        _of_the_rows(rows),
        *_of_the_curve(curve, params),
        *of_the_headline(shares, params.audit),
        _of_the_gradients(zero_gradients, params.audit),
    ]
    checks = [check for check in every if check.name not in left_out]
    _let_through(checks, params.audit)
    return {
        "passed": all(check.passed for check in checks),
        "rows": len(rows),
        "forward_passes": probe.spent.forward,
        "backward_passes": probe.spent.backward,
        "curve": [
            {"scale": scale, "robust_accuracy": share}
            for scale, share in zip(scales, curve, strict=True)
        ],
        "checks": {
            check.name: {
                "passed": check.passed,
                "found": check.found,
                "bound": check.bound,
                "says": check.sentence,
            }
            for check in checks
        },
        "left_out": left_out,
    }


def _left_out(data: MultimodalData, attack: AttackParams) -> dict[str, str]:
    """By name why a check is not made: rows may well stand on what is not attacked."""
    moved: set[str] = {*attack.epsilon}
    if PIXEL_SPACE in moved:
        moved.add(SPACE_OF["image"])
    spared = [
        modality
        for modality, space in SPACE_OF.items()
        if space not in moved and data.present(modality).any()
    ]
    if not spared:
        return {}
    return {
        FALLS_TO_CHANCE: f"The attack leaves {' and '.join(spared)} as it was, which may keep a row"
        " right however far the rest moves."
    }


def _of_the_rows(rows: np.ndarray) -> Check:
    return Check(
        "nothing_to_attack",
        float(not len(rows)),
        0.0,
        "Without a row to attack, 1",
        "No row is right without an attack, or none has anything to perturb: the other checks say"
        " nothing.",
    )


def _of_the_curve(curve: list[float], params: RobustnessParams) -> list[Check]:
    rises = np.diff([*curve[:1], *curve])
    return [
        Check(
            "monotone",
            float(rises.max()),
            params.audit.tolerance,
            "Largest rise of robust accuracy from one scale to the next, in separate runs",
            "A larger ball holds the smaller one, so that the attack fails where it should not:"
            " raise num_steps, or try kind apgd.",
        ),
        Check(
            FALLS_TO_CHANCE,
            curve[-1],
            params.audit.max_robust_accuracy,
            f"Robust accuracy at {params.scales[-1]:g} times epsilon",
            "Nothing should stand there: either the scale is too small to say, or gradients are"
            " masked. Add a larger scale first.",
        ),
    ]


def of_the_headline(shares: Shares, params: AuditParams) -> list[Check]:
    """Checks of what stands at the headline scale."""
    return [
        Check(
            "black_box",
            shares.whole - shares.black_box,
            0.0,
            "Success of a random search without gradients, less that of the attack",
            "Gradients mislead the attack: the robust accuracy is too high. Trust the random"
            " search, with more queries.",
        ),
        Check(
            "slower_not_stronger",
            shares.whole - shares.slower,
            params.tolerance,
            f"Success of an attack of another kind in {SLOWER} times the steps, less that of the"
            " attack",
            "The robust accuracy is too high: raise num_steps or num_restarts, or try kind apgd.",
        ),
        Check(
            "more_steps_not_weaker",
            shares.more_steps - shares.once,
            params.tolerance,
            f"Robust accuracy gained by {MORE_STEPS} times the steps",
            "The attack leaves good points again: lower step_size, or try kind apgd.",
        ),
        Check(
            "not_weaker_than_fgm",
            shares.once - shares.fgm,
            params.tolerance,
            "Robust accuracy in one run, less that under a single gradient step",
            "Steps mislead where one does not, a sign of masked gradients: lower step_size, raise"
            " num_steps, or try kind apgd.",
        ),
    ]


def _of_the_gradients(zero_gradients: float, params: AuditParams) -> Check:
    return Check(
        "zero_gradients",
        zero_gradients,
        params.max_zero_gradients,
        "Share of rows whose loss has no gradient at the clean input",
        "From there no step leads anywhere: trust no figure that a random search does not bear"
        " out.",
    )


def _let_through(checks: list[Check], params: AuditParams) -> None:
    failed = [check for check in checks if not check.passed]
    if failed and params.gate == "fail":
        told = "\n".join(f"  {check.name}: {check.sentence}" for check in failed)
        raise ContractError(
            f"evaluate.robustness.audit: {len(failed)} of {len(checks)} checks of the attack"
            f" failed:\n{told}\nNothing was written. With evaluate.robustness.audit.gate 'report'"
            " the stage goes on, and the report shows these lines."
        )


def _share(stands: np.ndarray) -> float:
    return float(stands.mean()) if len(stands) else 0.0
