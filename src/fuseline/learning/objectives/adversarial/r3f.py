"""R3F (Aghajanyan et al. 2021, arXiv 2008.03156)."""

from __future__ import annotations

from torch import Tensor

from fuseline.learning.objectives.adversarial.base import AdversarialObjective
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.base import ObjectiveOutput


class R3F(AdversarialObjective):
    """Clean loss, and how far outputs under random noise and clean ones lie apart, both ways. No
    gradient of the input is taken: two passes of each kind whatever the attack's steps.

    Deviations: noise is drawn from the ball of the params, not by element; no target has a graph,
    so that each side is pulled towards the other as it stands.
    """

    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        output = trial.perturbed.output
        trial.attacked(self.objective_under_attack, self.random_start(trial))
        # The loop's one backward pass goes through both graphs.
        trial.backward += 1
        apart = self.mutual(trial.perturbed.output, output, trial.perturbed.inputs)
        return self.clean_share * clean.loss + self.adversarial_share * apart
