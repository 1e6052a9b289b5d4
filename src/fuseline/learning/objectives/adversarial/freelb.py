"""FreeLB (Zhu et al. 2020, arXiv 1909.11764)."""

from __future__ import annotations

from torch import Tensor

from fuseline.learning.objectives.adversarial.base import AdversarialObjective
from fuseline.learning.objectives.adversarial.trial import Trial, leaves
from fuseline.learning.objectives.base import ObjectiveOutput


class FreeLB(AdversarialObjective):
    """Clean loss, and the mean of the losses at the K points that an attack visits.

    The backward pass at each point serves the next step and the parameters: K + 1 forward and
    backward passes, all of them whole. Deviations: the paper has no clean pass and starts at
    random; here the clean loss has its weight, and without a random start the first point is one
    step up the clean loss, with what each modality says alone. At a clean weight of 0 that step
    costs a pass.
    """

    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        trial.accumulate(self.clean_share * clean.loss)
        total = (self.clean_share * clean.loss).detach()
        deltas = self._first(trial)
        for _ in range(self.attack.num_steps - 1):
            part = self._part(trial, deltas)
            trial.accumulate(part)
            total = total + part.detach()
            deltas = self._step(trial)
        return total + self._part(trial, deltas)

    def _first(self, trial: Trial) -> dict[str, Tensor]:
        if self.attack.random_start:
            return self.random_start(trial)
        if self.clean_share:
            return self._step(trial)
        # The clean pass has no gradient.
        return self.climb(trial, self.loss_under_attack(trial), trial.zeros, 1)

    def _part(self, trial: Trial, deltas: dict[str, Tensor]) -> Tensor:
        attacked = trial.attacked(self.objective_under_attack, leaves(deltas)).loss
        return self.adversarial_share / self.attack.num_steps * attacked

    def _step(self, trial: Trial) -> dict[str, Tensor]:
        """From where the last pass was, up its gradient."""
        masks, gradients = trial.masks, trial.gradients()
        return {
            space: self.attack.step(
                delta.detach(), gradients[space], masks[space], self.attack.epsilon[space]
            )
            for space, delta in trial.perturbed.deltas.items()
        }
