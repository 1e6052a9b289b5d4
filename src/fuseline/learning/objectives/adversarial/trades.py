"""TRADES (Zhang et al. 2019, arXiv 1901.08573)."""

from __future__ import annotations

from torch import Tensor

from fuseline.learning.objectives.adversarial.base import AdversarialObjective, detached
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.base import ObjectiveOutput


class Trades(AdversarialObjective):
    """Clean loss, and how far outputs under attack lie from the clean ones; the attack climbs that
    divergence from a random start, since it is flat at the clean input. K + 2 passes of each kind.

    Deviations: the clean output is a target that is not pulled towards the attacked one, its own
    loss moves it; the random start is drawn from the whole ball.
    """

    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        target = detached(trial.perturbed.output)
        trial.accumulate(self.clean_share * clean.loss)
        apart = self.divergence(trial, target)
        deltas = self.climb(trial, apart, self.random_start(trial))
        return self.adversarial_share * apart(deltas) + (self.clean_share * clean.loss).detach()
