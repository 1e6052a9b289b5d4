"""Adversarial training as a wrapper around a supervised objective."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fuseline.attacks import Attack
from fuseline.objectives.base import Batch, ObjectiveOutput
from fuseline.objectives.perturbation import Perturbable
from fuseline.objectives.supervised import Supervised


class AdversarialObjective:
    """`clean_weight * clean loss + adversarial_weight * loss under attack`, over their sum
    (Goodfellow et al. 2015, arXiv 1412.6572).

    All passes of a step see the same dropout masks: the random state is replayed before each,
    so that the attack climbs the loss that is then trained on. Passes of one step: the attack's,
    and two forward and two backward ones.

    Args:
        inner: the clean objective.
        attack: finds deltas in the spaces that its epsilon names.
        clean_weight: weight of the clean loss.
        adversarial_weight: weight of the loss under attack.
    """

    def __init__(
        self, inner: Supervised, attack: Attack, clean_weight: float, adversarial_weight: float
    ) -> None:
        self.inner = inner
        self.attack = attack
        total = clean_weight + adversarial_weight
        self.clean_share = clean_weight / total
        self.adversarial_share = adversarial_weight / total

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        batch = self.inner.prepare(batch)
        perturbable = Perturbable(model, batch, self.attack.spaces)
        replay = _DropoutReplay()

        def losses(deltas: dict[str, Tensor]) -> Tensor:
            replay()
            return self.inner.losses(model(**perturbable.inputs(deltas)), batch)

        before = (self.attack.passes.forward, self.attack.passes.backward)
        start, masks = perturbable.start(), perturbable.masks()
        deltas = self.attack.perturb(losses, start, masks)
        adversarial = losses(deltas).mean()
        replay()
        clean = self.inner.output(model(**batch), batch)
        return ObjectiveOutput(
            self.clean_share * clean.loss + self.adversarial_share * adversarial,
            clean.correct,
            clean.count,
            passes={
                "forward": 1 + self.attack.passes.forward - before[0],
                "backward": 1 + self.attack.passes.backward - before[1],
            },
        )


class _DropoutReplay:
    """Sets the random state back to what it was at the first call."""

    def __init__(self) -> None:
        self._state: Tensor | None = None

    def __call__(self) -> None:
        if self._state is None:
            self._state = torch.get_rng_state()
        else:
            torch.set_rng_state(self._state)
