"""Adversarial training in one pass a step, its deltas kept from epoch to epoch (after Shafahi et
al. 2019, arXiv 1904.12843, and Zheng et al. 2020, arXiv 1912.11969)."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.learning.attacks import Deltas
from fuseline.learning.objectives.adversarial.base import AdversarialObjective
from fuseline.learning.objectives.adversarial.memory import DeltaMemory
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.base import ObjectiveOutput
from fuseline.learning.objectives.perturbation import Perturbable


class Free(AdversarialObjective):
    """Each row is seen clean or under its delta of an earlier epoch, by the weights' shares; the
    one backward pass trains the parameters and moves the delta a step up its gradient, be it at
    the delta or at the clean input. One pass of each kind, as without an attack, whatever the
    attack's steps; a random start has no meaning here.

    The first epoch is clean, and deltas grow by a step an epoch: it takes several. They are kept
    in memory and in checkpoints, two bytes a number of all tokens and positions that move.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._memory = DeltaMemory()

    def step_under_attack(self, model: Any, batch: Batch) -> ObjectiveOutput:
        rows = batch["row_numbers"]
        moved = torch.rand(len(rows)) < self.adversarial_share

        def start(perturbable: Perturbable) -> Deltas:
            masks = perturbable.masks()
            return {
                space: self._kept(space, rows, zero, masks[space]) * moved.view(-1, 1, 1)
                for space, zero in perturbable.start().items()
            }

        trial = Trial(model, batch, self.attack.spaces, start)
        mixed = trial.clean(self.inner)
        return ObjectiveOutput(
            self.loss(trial, mixed), mixed.correct, mixed.count, passes=trial.passes()
        )

    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        rows, masks = trial.batch["row_numbers"], trial.masks
        for space, leaf in trial.perturbed.deltas.items():
            # Where the row's delta stood, whether or not this pass showed it. The hook may hold
            # nothing of the trial, whose graph holds the leaf: such a circle is never freed.
            here = self._kept(space, rows, torch.zeros_like(leaf), masks[space])
            # The loop's backward pass tells the gradient.
            leaf.register_hook(  # type: ignore[no-untyped-call]
                partial(self._remember, space, rows, here, masks[space])
            )
        return clean.loss

    def _remember(
        self, space: str, rows: Tensor, here: Tensor, mask: Tensor, gradient: Tensor
    ) -> None:
        stepped = self.attack.step(here, gradient, mask, self.attack.epsilon[space])
        self._memory.keep(space, rows, stepped, mask)

    def _kept(self, space: str, rows: Tensor, zero: Tensor, mask: Tensor) -> Tensor:
        """The rows' deltas, within the ball: bfloat16 may have rounded them out of it."""
        recalled = self._memory.recall(space, rows, zero)
        return self.attack.within(recalled, self.attack.epsilon[space]) * mask.unsqueeze(-1)

    def state_dict(self) -> dict[str, Tensor]:
        return super().state_dict() | self._memory.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        super().load_state_dict(self._memory.load_state_dict(state))
