"""SMART (Jiang et al. 2020, arXiv 1911.03437)."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.func import functional_call

from fuseline.learning.objectives.adversarial.base import AdversarialObjective, detached
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.base import ObjectiveOutput
from fuseline.params.adversarial import MethodParams

AVERAGE = "average."


class Smart(AdversarialObjective):
    """Clean loss; how far outputs under attack and clean ones lie apart, both ways, the attack
    climbing the divergence from the clean ones; and, by `smart.proximal_weight`, how far outputs
    lie from those of a moving average of the weights (the paper's Bregman proximal point). K + 3
    forward and K + 2 backward passes; one forward pass less without the proximal term, and the
    average is kept in memory.

    Deviations: epsilon is the radius of a ball, where the paper's only guards a division; no
    target has a graph, so that each side is pulled towards the other as it stands.
    """

    params: MethodParams

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._average: dict[str, Tensor] = {}

    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        output, inputs = trial.perturbed.output, trial.perturbed.inputs
        apart = self.divergence(trial, detached(output))
        deltas = self.climb(trial, apart, self.random_start(trial))
        trial.attacked(self.objective_under_attack, deltas)
        # The loop's one backward pass goes through the clean graph and this one.
        trial.backward += 1
        total = self.clean_share * clean.loss
        added = self.mutual(trial.perturbed.output, output, inputs)
        if weight := self.params.smart.proximal_weight:
            added = added + weight * self._proximal(trial, output)
        return total + self.adversarial_share * added

    def _proximal(self, trial: Trial, output: Any) -> Tensor:
        """Divergence from the average's outputs; the average then takes in the weights."""
        model = trial.perturbed.model
        weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        if not self._average:
            self._average = {name: weight.clone() for name, weight in weights.items()}
        momentum = self.params.smart.momentum
        for name, weight in weights.items():
            self._average[name].mul_(momentum).add_(weight, alpha=1 - momentum)

        def averaged(**inputs: Any) -> Any:
            return functional_call(model, self._average, (), inputs)

        target = trial.elsewhere(averaged, self.objective_under_attack)
        # One way only: the average is a constant.
        return self.apart(output, target, trial.perturbed.inputs)

    def state_dict(self) -> dict[str, Tensor]:
        return super().state_dict() | {AVERAGE + name: w for name, w in self._average.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        own = {name: w for name, w in state.items() if name.startswith(AVERAGE)}
        super().load_state_dict({name: w for name, w in state.items() if name not in own})
        self._average = {name.removeprefix(AVERAGE): w for name, w in own.items()}
