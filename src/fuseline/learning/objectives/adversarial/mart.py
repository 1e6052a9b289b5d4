"""MART (Wang et al. 2020, "Improving Adversarial Robustness Requires Revisiting Misclassified
Examples", ICLR)."""

from __future__ import annotations

from torch import Tensor

from fuseline.learning.objectives.adversarial.base import detached
from fuseline.learning.objectives.adversarial.pgd import PGDTraining
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.base import ObjectiveOutput
from fuseline.learning.objectives.supervised import Supervised
from fuseline.params.adversarial import MethodParams


class Mart(PGDTraining):
    """As `pgd`, and beside the loss under attack `mart.divergence_weight` of how far outputs under
    attack lie from the clean ones, each row counted by the probability that the model does not give
    its label without an attack: rows that it is unsure of are pulled most. Passes as of `pgd`.

    Deviations: the loss under attack is the task's own, where the paper adds a margin that only
    classes have, so that it goes around any task; the clean output is a target, and a clean loss of
    its own moves it.
    """

    inner: Supervised
    params: MethodParams

    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        target, inputs = detached(trial.perturbed.output), trial.perturbed.inputs
        doubts = 1 - self.inner.certainties(target, inputs)
        attacked = super().loss(trial, clean)
        apart = self.apart_by_row(trial.perturbed.output, target, inputs)
        weight = self.adversarial_share * self.params.mart.divergence_weight
        return attacked + weight * (doubts * apart).mean()
