"""Training on the loss under attack (Goodfellow et al. 2015, arXiv 1412.6572)."""

from __future__ import annotations

from torch import Tensor

from fuseline.learning.attacks import Attack, Deltas
from fuseline.learning.attacks.fgm import FGM
from fuseline.learning.objectives.adversarial.base import AdversarialObjective
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.base import ObjectiveOutput
from fuseline.params.attack import BallParams


class PGDTraining(AdversarialObjective):
    """Clean loss and loss under PGD (Madry et al. 2018, arXiv 1706.06083).

    Without a random start the clean pass gives the first step's gradient too, and a step costs
    K + 1 forward and backward passes; with one, K + 2. All but two of the backward passes end at
    the deltas. Deviation: that first step climbs the clean loss whole, with what each modality
    says alone; the others climb the loss under attack.
    """

    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        trial.accumulate(self.clean_share * clean.loss)
        deltas = self.deltas(trial)
        attacked = trial.attacked(self.objective_under_attack, deltas).loss
        return self.adversarial_share * attacked + (self.clean_share * clean.loss).detach()

    def deltas(self, trial: Trial) -> Deltas:
        """Where the attack ends."""
        climbed = self.loss_under_attack(trial)
        if self.attack.random_start:
            return self.climb(trial, climbed, self.random_start(trial))
        if not self.clean_share:
            # The clean pass has no gradient.
            return self.climb(trial, climbed, trial.zeros)
        masks, gradients = trial.masks, trial.gradients()
        first = {
            space: self.attack.step(
                zero, gradients[space], masks[space], self.attack.epsilon[space]
            )
            for space, zero in trial.zeros.items()
        }
        return self.climb(trial, climbed, first, self.attack.num_steps - 1)


class FGMTraining(PGDTraining):
    """Clean loss and loss under FGM (Miyato et al. 2017, arXiv 1605.07725): two forward and two
    backward passes."""

    def build_attack(self, ball: BallParams) -> Attack:
        return FGM(ball)
