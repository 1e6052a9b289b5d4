"""VILLA (Gan et al. 2020, arXiv 2006.06195)."""

from __future__ import annotations

from torch import Tensor

from fuseline.learning.objectives.adversarial.base import AdversarialObjective
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.base import ObjectiveOutput
from fuseline.params.adversarial import MethodParams


class Villa(AdversarialObjective):
    """Clean loss, and for each space in turn the loss under an attack in that space alone with
    `villa.divergence_weight` of how far its outputs and the clean ones lie apart, both ways; mean
    over spaces. With S of them S (K + 1) + 1 passes of each kind.

    Deviations: gradients are taken where the attack ends, not at every point that it visits; no
    target has a graph, so that each side is pulled towards the other as it stands.
    """

    params: MethodParams

    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        output = trial.perturbed.output
        starts = self.random_start(trial) if self.attack.random_start else trial.zeros
        parts = [self._part(trial, output, space, starts[space]) for space in sorted(starts)]
        if not parts:
            return clean.loss
        # The loop's one backward pass goes through the clean graph and these.
        trial.backward += len(parts)
        return self.clean_share * clean.loss + self.adversarial_share * sum(parts) / len(parts)

    def _part(self, trial: Trial, output: object, space: str, start: Tensor) -> Tensor:
        deltas = self.climb(trial, self.loss_under_attack(trial), {space: start})
        attacked = trial.attacked(self.objective_under_attack, deltas).loss
        apart = self.mutual(trial.perturbed.output, output, trial.perturbed.inputs)
        return attacked + self.params.villa.divergence_weight * apart
