"""Accuracy under attack: projected gradient descent with restarts, over a range of radii."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.robustness.audit import Probe, audit_attack
from fuseline.evaluation.robustness.standing import Standing
from fuseline.evaluation.robustness.target import Deltas, Goal, Loss, Note, Spent, Target
from fuseline.learning.attacks import build_attack
from fuseline.learning.attacks.fgm import FGM
from fuseline.learning.model.passes import Model, length_batches
from fuseline.params.evaluate import HEADLINE, RobustnessParams
from fuseline.pipeline.parts import Parts
from fuseline.pipeline.precision import Precision

# After so many steps the rows that fell leave the batch.
STEPS_BETWEEN_CHECKS = 5


def measure_robustness(
    model: Model,
    goal: Goal,
    data: MultimodalData,
    correct: np.ndarray,
    params: RobustnessParams,
    *,
    attacked: Attacked,
    batch_size: int,
    seed: int,
    precision: Precision,
    parts: Parts,
) -> dict[str, Any]:
    """Attack the rows that still stand, and count them.

    The model is attacked in evaluation mode, on its logits. FGM goes first, at every scale and
    on every row that is right without an attack; then the attack of `params` with restarts, at
    the headline scale, upwards, and downwards (see `Standing.worth_attacking`). A row falls when
    any of them finds a delta, so the result is never weaker than FGM. Gradients are computed in
    `precision`; a row counts as fallen only after a plain float32 pass over its delta.

    Args:
        model: gives `logits` for a batch.
        goal: what the attacks climb, and what counts as right.
        data: N labelled rows.
        correct: (N,) bool, right without an attack.
        params: attack, restarts and scales.
        attacked: is told what becomes of each row at the headline scale.
        batch_size: rows of one attacked batch at most.
        seed: of the random starts.
        precision: of the gradients.
        parts: of the run: FGM, each scale, the audit.

    Returns:
        `robust_accuracy`, `attack_success_rate`, and `robustness` with the curve, what the attack
        cost and how far it moved, and the audit of it.

    Raises:
        ContractError: the audit found against the attack, and its gate is to fail.
    """
    model.eval().requires_grad_(False)
    standing = Standing(correct, params.scales)
    siege = _Siege(model, goal, data, params, standing, attacked, batch_size, precision, seed)
    headline = params.scales.index(HEADLINE)
    siege.load(parts.arrays("siege-fgm", lambda: siege.after(siege.fast_gradient)))
    upwards = range(headline, len(params.scales))
    for index in tqdm([*upwards, *reversed(range(headline))], desc="attack", unit="scale"):
        attack = partial(siege.restarts, index, headline)
        siege.load(parts.arrays(f"siege-{index}", partial(siege.after, attack)))
    attacked.standing = standing.at(headline)
    figures = _figures(siege.spent, list(params.attack.epsilon), int(siege.movable.sum()))
    figures["unmovable_rows"] = int(correct.sum() - siege.movable.sum())
    found = (standing.at(headline), standing.under_fgm(headline), siege.movable)
    zero_gradients = figures["zero_gradient_share"]
    figures["audit"] = parts.values(
        "audit", lambda: audit_attack(siege.probe(), *found, params, zero_gradients)
    )
    return {
        **standing.headline(headline),
        "robustness": {
            "epsilon": dict(params.attack.epsilon),
            "curve": standing.curve(),
            **figures,
        },
    }


@dataclass
class _Siege:
    """The attacks on one model's rows."""

    model: Model
    goal: Goal
    data: MultimodalData
    params: RobustnessParams
    standing: Standing
    attacked: Attacked
    batch_size: int
    precision: Precision
    seed: int
    generator: torch.Generator = field(init=False)
    movable: np.ndarray = field(init=False)
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)
        # Among the rows that are right without an attack, those that any delta can reach.
        self.movable = np.zeros(len(self.data), dtype=bool)

    def after(self, attack: Callable[[], None]) -> dict[str, np.ndarray]:
        """All that the attacks to come, and the figures, depend on, once an attack has run."""
        attack()
        return {
            "generator": self.generator.get_state().numpy(),
            "movable": self.movable,
            **self.spent.state(),
            **self.standing.state(),
            **self.attacked.state(),
        }

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `after` gave."""
        self.generator.set_state(torch.from_numpy(state["generator"]))
        self.movable = state["movable"]
        for one in (self.spent, self.standing, self.attacked):
            one.load(state)

    def fast_gradient(self) -> None:
        """FGM at every scale, whose delta grows in proportion; one gradient serves them all.

        At the headline scale rows without a gradient are counted.
        """
        rows = np.flatnonzero(self.standing.correct)
        attack = FGM(self.params.attack)
        for part in length_batches(self.data, rows, self.batch_size):
            target = self._target(part)
            deltas = target.climb(attack, self.goal.losses[-1], 1.0, self.generator)
            self._record(target, deltas, torch.ones(len(part), dtype=torch.bool))
            movable = target.movable()
            self.movable[part] = movable.numpy()
            self.spent.zero_gradients += int((target.unmoved(deltas) & movable).sum())
            for index, scale in enumerate(self.params.scales):
                scaled = {space: scale * d for space, d in deltas.items()}
                fallen = target.fallen(scaled, self._note(part, scale))
                self.standing.break_rows(index, part[fallen.numpy()], by_fgm=True)

    def restarts(self, index: int, headline: int) -> None:
        """The full attack at one scale, restart after restart, on what still stands."""
        rows = self.standing.worth_attacking(index, headline)
        self.standing.attacked[index, rows] = True
        for restart in range(self.params.num_restarts):
            loss = self.goal.losses[restart % len(self.goal.losses)]
            still = rows[self.standing.at(index)[rows]]
            for part in length_batches(self.data, still, self.batch_size):
                self._attack(part, loss, index, headline)

    def _attack(self, rows: np.ndarray, loss: Loss, index: int, headline: int) -> None:
        """One restart on one batch; rows that fall leave it between rounds of steps."""
        attack = build_attack(self.params.attack)
        target = self._target(rows)
        scale = self.params.scales[index]
        search = target.begin(attack, scale, self.generator)
        while search.num_done < attack.num_steps:
            target.advance(attack, search, loss, STEPS_BETWEEN_CHECKS)
            fallen = target.fallen(search.found, self._note(rows, scale))
            if index == headline:
                last = search.num_done == attack.num_steps
                self._record(target, search.found, torch.ones_like(fallen) if last else fallen)
            self.standing.break_rows(index, rows[fallen.numpy()])
            if fallen.all():
                return
            rows = rows[~fallen.numpy()]
            search, target = search.take(~fallen), target.take(~fallen)

    def probe(self) -> Probe:
        """What the audit runs its own attacks with."""
        return Probe(self.model, self.goal, self.data, self.batch_size, self.precision, self.seed)

    def _target(self, rows: np.ndarray) -> Target:
        spaces = self.params.attack.epsilon
        batch = self.data.batch(rows)
        return Target(self.model, batch, self.goal, spaces, self.precision, self.spent)

    def _note(self, rows: np.ndarray, scale: float) -> Note | None:
        """What a row came to within the headline ball."""
        return partial(self.attacked.note, rows) if scale <= HEADLINE else None

    def _record(self, target: Target, deltas: Deltas, done: Tensor) -> None:
        """Keep the norms of the deltas on which the attack of the `done` rows ended."""
        attack = build_attack(self.params.attack)
        for space, delta in deltas.items():
            lengths, moves = attack.lengths(delta, target.masks[space])
            self.spent.delta_norms.setdefault(space, []).append(lengths[moves & done[:, None]])


def _figures(spent: Spent, spaces: list[str], num_movable: int) -> dict[str, Any]:
    lengths = {
        space: torch.cat([*spent.delta_norms.get(space, []), torch.zeros(0)]) for space in spaces
    }
    return {
        "mean_delta_norm": {s: float(x.mean()) if len(x) else 0.0 for s, x in lengths.items()},
        "max_delta_norm": {s: float(x.max()) if len(x) else 0.0 for s, x in lengths.items()},
        "zero_gradient_share": spent.zero_gradients / max(num_movable, 1),
        "forward_passes": spent.forward,
        "backward_passes": spent.backward,
    }
