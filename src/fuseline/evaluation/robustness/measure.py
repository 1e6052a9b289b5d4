"""Accuracy under attack: projected gradient descent with restarts, over a range of radii."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.robustness.audit import Probe, audit_attack
from fuseline.evaluation.robustness.standing import Standing
from fuseline.evaluation.robustness.target import Goal, Loss, Note, Spent, Target
from fuseline.learning.attacks import Deltas, build_attack
from fuseline.learning.attacks.fgm import FGM
from fuseline.learning.model.passes import Model, length_batches
from fuseline.params.evaluate import HEADLINE, RobustnessParams
from fuseline.pipeline.parts import Parts
from fuseline.pipeline.precision import Precision

# Rows that are attacked together, from FGM to the last scale, and kept as one part.
ROWS_A_PIECE = 32


@dataclass
class Siege:
    """An attack on one model's rows, piece by piece.

    The model is attacked in evaluation mode, on its logits. FGM goes first, at every scale and
    on every row that is right without an attack; then the attack of `params` with restarts, at
    the headline scale, upwards, and downwards (see `Standing.worth_attacking`), with fewer of them
    off the headline. A row falls when
    any of them finds a delta, so the result is never weaker than FGM. Gradients are computed in
    `precision`; a row counts as fallen only after a plain float32 pass over its delta.

    Attributes:
        model: gives `logits` for a batch.
        goal: what the attacks climb, and what counts as right.
        data: N labelled rows.
        correct: (N,) bool, right without an attack.
        params: attack, restarts and scales.
        attacked: is told what becomes of each row at the headline scale.
        batch_size: rows of one attacked batch at most.
        seed: of the random starts; each piece draws its own.
        precision: of the gradients.
        parts: of the run: each piece, and the audit.

    Raises:
        ContractError: the audit found against the attack, and its gate is to fail.
    """

    model: Model
    goal: Goal
    data: MultimodalData
    correct: np.ndarray
    params: RobustnessParams
    attacked: Attacked
    batch_size: int
    seed: int
    precision: Precision
    parts: Parts

    def __post_init__(self) -> None:
        self.model.eval().requires_grad_(False)

    @cached_property
    def pieces(self) -> list[np.ndarray]:
        """Row numbers of each piece, texts of like length together; at least one."""
        order = np.argsort(self.data.lengths, kind="stable")
        return np.array_split(order, max(1, -(-len(order) // ROWS_A_PIECE)))

    @property
    def num_pieces(self) -> int:
        """How many there are."""
        return len(self.pieces)

    def piece(self, index: int) -> dict[str, np.ndarray]:
        """What becomes of the rows of one piece; hangs on no other."""
        return self.parts.arrays(f"siege-{index}", lambda: self._piece(index).besieged())

    def audit(self) -> dict[str, Any]:
        """Checks of the attack itself, once every piece is done; see `audit_attack`."""
        whole = self._whole
        found = (whole.standing.at(whole.headline), whole.standing.under_fgm(whole.headline))
        return self.parts.values(  # type: ignore[no-any-return]
            "audit",
            lambda: audit_attack(
                self._probe(), *found, whole.movable, self.params, self._zero_gradient_share
            ),
        )

    def figures(self) -> dict[str, Any]:
        """`robust_accuracy`, `attack_success_rate`, and `robustness` with the curve, what the
        attack cost and how far it moved, and the audit of it."""
        whole = self._whole
        self.attacked.standing = whole.standing.at(whole.headline)
        return {
            **whole.standing.headline(whole.headline),
            "robustness": {
                "epsilon": dict(self.params.attack.epsilon),
                "curve": whole.standing.curve(),
                **_lengths(whole.spent, list(self.params.attack.epsilon)),
                "zero_gradient_share": self._zero_gradient_share,
                "forward_passes": whole.spent.forward,
                "backward_passes": whole.spent.backward,
                "unmovable_rows": int(self.correct.sum() - whole.movable.sum()),
                "audit": self.audit(),
            },
        }

    @cached_property
    def _whole(self) -> _Piece:
        """All pieces as one."""
        whole = _Piece(self, np.arange(len(self.data)), self.attacked, self.seed)
        bar = tqdm(self.pieces, desc="attack", unit="piece", delay=1.0)
        for index, rows in enumerate(bar):
            whole.put(rows, self.piece(index))
        return whole

    @property
    def _zero_gradient_share(self) -> float:
        return self._whole.spent.zero_gradients / max(int(self._whole.movable.sum()), 1)

    def _piece(self, index: int) -> _Piece:
        rows = self.pieces[index]
        return _Piece(self, rows, self.attacked.take(rows), [self.seed, index])

    def _probe(self) -> Probe:
        """What the audit runs its own attacks with."""
        return Probe(self.model, self.goal, self.data, self.batch_size, self.precision, self.seed)


class _Piece:
    """Some rows of a siege, and where they stand.

    Args:
        siege: that they belong to.
        rows: (n,) their numbers in it.
        attacked: is told what becomes of them.
        seed: of the random starts.
    """

    def __init__(
        self, siege: Siege, rows: np.ndarray, attacked: Attacked, seed: int | list[int]
    ) -> None:
        self.siege, self.params = siege, siege.params
        self.data = siege.data.take(rows)
        self.standing = Standing(siege.correct[rows], siege.params.scales)
        self.attacked = attacked
        # Among the rows that are right without an attack, those that any delta can reach.
        self.movable = np.zeros(len(rows), dtype=bool)
        self.spent = Spent()
        (drawn,) = np.random.SeedSequence(seed).generate_state(1)
        self.generator = torch.Generator().manual_seed(int(drawn))
        self.headline = siege.params.scales.index(HEADLINE)

    def besieged(self) -> dict[str, np.ndarray]:
        """Run every attack on the rows; what came of it."""
        self.fast_gradient()
        upwards = range(self.headline, len(self.params.scales))
        for index in [*upwards, *reversed(range(self.headline))]:
            self.restarts(index)
        return {
            "movable": self.movable,
            **self.spent.state(),
            **self.standing.state(),
            **self.attacked.state(),
        }

    def put(self, rows: np.ndarray, state: Mapping[str, np.ndarray]) -> None:
        """Note what `besieged` gave of some of the rows, by their places here."""
        self.movable[rows] = state["movable"]
        self.spent.add(state)
        self.standing.put(rows, state)
        self.attacked.put(rows, state)

    def fast_gradient(self) -> None:
        """FGM at every scale, whose delta grows in proportion; one gradient serves them all.

        At the headline scale rows without a gradient are counted.
        """
        rows = np.flatnonzero(self.standing.correct)
        attack = FGM(self.params.attack)
        for part in length_batches(self.data, rows, self.siege.batch_size):
            target = self._target(part)
            deltas = target.climb(attack, self.siege.goal.own, 1.0, self.generator)
            self._record(target, deltas)
            movable = target.movable()
            self.movable[part] = movable.numpy()
            self.spent.zero_gradients += int((target.unmoved(deltas) & movable).sum())
            for index, scale in enumerate(self.params.scales):
                scaled = {space: scale * d for space, d in deltas.items()}
                note = self._note(part, scale)
                fallen = target.fallen(scaled, note and partial(note, torch.arange(len(part))))
                self.standing.break_rows(index, part[fallen.numpy()], by_fgm=True)

    def restarts(self, index: int) -> None:
        """The full attack at one scale, restart after restart, on what still stands."""
        rows = self.standing.worth_attacking(index, self.headline)
        self.standing.attacked[index, rows] = True
        losses, params = self.siege.goal.losses, self.params
        at_headline = index == self.headline
        for restart in range(params.num_restarts if at_headline else params.curve_restarts):
            still = rows[self.standing.at(index)[rows]]
            for part in length_batches(self.data, still, self.siege.batch_size):
                self._attack(part, losses[restart % len(losses)], index)

    def _attack(self, rows: np.ndarray, loss: Loss, index: int) -> None:
        """One restart on one batch."""
        attack, target = build_attack(self.params.attack), self._target(rows)
        scale = self.params.scales[index]
        ended, fallen = target.besiege(attack, loss, scale, self.generator, self._note(rows, scale))
        if index == self.headline:
            self._record(target, ended)
        self.standing.break_rows(index, rows[fallen.numpy()])

    def _target(self, rows: np.ndarray) -> Target:
        siege, batch = self.siege, self.data.batch(rows)
        spaces = self.params.attack.epsilon
        return Target(siege.model, batch, siege.goal, spaces, siege.precision, self.spent)

    def _note(self, rows: np.ndarray, scale: float) -> Note | None:
        """What a row came to within the headline ball."""

        def note(places: Tensor, logits: Tensor, fallen: Tensor) -> None:
            self.attacked.note(rows[places.numpy()], logits, fallen)

        return note if scale <= HEADLINE else None

    def _record(self, target: Target, deltas: Deltas) -> None:
        """Keep the norms of the deltas on which an attack ended."""
        attack = build_attack(self.params.attack)
        for space, delta in deltas.items():
            lengths, moves = attack.lengths(delta, target.masks[space])
            self.spent.delta_norms.setdefault(space, []).append(lengths[moves])


def _lengths(spent: Spent, spaces: list[str]) -> dict[str, dict[str, float]]:
    """By space the mean and the greatest norm of the deltas at the headline scale."""
    found = {
        space: torch.cat([*spent.delta_norms.get(space, []), torch.zeros(0)]) for space in spaces
    }
    return {
        "mean_delta_norm": {s: float(x.mean()) if len(x) else 0.0 for s, x in found.items()},
        "max_delta_norm": {s: float(x.max()) if len(x) else 0.0 for s, x in found.items()},
    }
