"""What methods of adversarial training share."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.learning.attacks import Attack, Deltas
from fuseline.learning.attacks.pgd import PGD
from fuseline.learning.objectives.adversarial.trial import Trial
from fuseline.learning.objectives.base import Objective, ObjectiveOutput, Stateful
from fuseline.params.adversarial import AdversarialParams
from fuseline.params.attack import BallParams

# (B,) how far outputs lie from a target's, given the inputs of their pass.
Divergence = Callable[[Any, Any, Batch], Tensor]
STEPS = "attacked.steps"


class AdversarialObjective(ABC):
    """Wraps an objective: `clean_weight` of its loss and `adversarial_weight` of what the method
    adds, over their sum.

    Cost is counted in passes over a batch. A clean step takes one forward and one backward pass;
    each method's docstring says what a step under attack takes for K steps of its attack. Only
    `attacked_share` of the steps, evenly spaced, are; the others train on the clean loss.

    Args:
        inner: the objective on clean rows.
        attacked: what attacks climb and the loss under attack is; draws as `inner` does.
        divergence: between two outputs of the model, None for objectives that have none.
        params: the method's settings.
    """

    def __init__(
        self,
        inner: Objective,
        attacked: Objective,
        divergence: Divergence | None,
        params: AdversarialParams,
    ) -> None:
        self.inner = inner
        self.objective_under_attack = attacked
        self._divergence = divergence
        self.params = params
        self.attack = self.build_attack(params.attack)
        total = params.clean_weight + params.adversarial_weight
        self.clean_share = params.clean_weight / total
        self.adversarial_share = params.adversarial_weight / total
        self._steps = 0

    def build_attack(self, ball: BallParams) -> Attack:
        """The attack within the params' ball."""
        return PGD(ball)

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        self._steps += 1
        attacked = self._attacked_by(self._steps) > self._attacked_by(self._steps - 1)
        return (self.step_under_attack if attacked else self.inner)(model, batch)

    def _attacked_by(self, steps: int) -> int:
        """How many of the first steps are under attack: the share, to the nearest whole number.
        Draws would let the cost differ from what was asked, by a fifth in a short run."""
        return int(steps * self.params.attacked_share + 0.5)

    def step_under_attack(self, model: Any, batch: Batch) -> ObjectiveOutput:
        """One step's loss, its passes counted."""
        trial = Trial(model, batch, self.attack.spaces)
        clean = trial.clean(self.inner)
        # What is returned is for the loop to pass back; parts passed back before are detached.
        loss = self.loss(trial, clean)
        return ObjectiveOutput(loss, clean.correct, clean.count, passes=trial.passes())

    @abstractmethod
    def loss(self, trial: Trial, clean: ObjectiveOutput) -> Tensor:
        """The step's loss, given its clean pass."""

    def climb(
        self,
        trial: Trial,
        climbed: Callable[[Deltas], Tensor],
        start: Deltas,
        num_steps: int | None = None,
    ) -> Deltas:
        """Steps of the attack, all of them by default, from a start in the spaces that it has."""
        attack = copy.copy(self.attack)
        attack.random_start = False
        attack.num_steps = self.attack.num_steps if num_steps is None else num_steps
        before = attack.passes.backward
        deltas = attack.perturb(climbed, start, trial.masks)
        # Each forward pass went through the trial, which counted it.
        trial.backward += attack.passes.backward - before
        return deltas

    def random_start(self, trial: Trial) -> Deltas:
        """A random point of the ball in every space."""
        masks = trial.masks
        return {
            space: self.attack.random_delta(
                zero, masks[space], self.attack.epsilon[space], trial.generator
            )
            for space, zero in trial.zeros.items()
        }

    def loss_under_attack(self, trial: Trial) -> Callable[[Deltas], Tensor]:
        """The loss that attacks climb; one number, since a row's loss moves no other row's delta
        when steps are scaled to one length."""
        return lambda deltas: trial.attacked(self.objective_under_attack, deltas).loss

    def divergence(self, trial: Trial, target: Any) -> Callable[[Deltas], Tensor]:
        """Mean divergence of the outputs under deltas from a target, which must be detached."""

        def measured(deltas: Deltas) -> Tensor:
            trial.attacked(self.objective_under_attack, deltas)
            return self.apart(trial.perturbed.output, target, trial.perturbed.inputs)

        return measured

    def apart(self, output: Any, target: Any, inputs: Batch) -> Tensor:
        """Mean divergence of an output from a target."""
        return self.apart_by_row(output, target, inputs).mean()

    def apart_by_row(self, output: Any, target: Any, inputs: Batch) -> Tensor:
        """(B,) divergence of an output from a target."""
        assert self._divergence is not None  # given wherever a method compares outputs
        return self._divergence(output, target, inputs)

    def mutual(self, one: Any, other: Any, inputs: Batch) -> Tensor:
        """Divergence both ways; each side is pulled towards the other as it stands."""
        return self.apart(one, detached(other), inputs) + self.apart(other, detached(one), inputs)

    def state_dict(self) -> dict[str, Tensor]:
        """What the wrapped objective remembers, and the method itself."""
        inner = self.inner.state_dict() if isinstance(self.inner, Stateful) else {}
        return inner | {STEPS: torch.tensor(self._steps)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._steps = int(state.get(STEPS, 0))
        if isinstance(self.inner, Stateful):
            self.inner.load_state_dict({name: x for name, x in state.items() if name != STEPS})


def detached(output: Any) -> Any:
    """A model's output without its graph: a target that nothing pulls towards the other side."""
    if isinstance(output, Tensor):
        return output.detach()
    if isinstance(output, dict):
        return {name: detached(value) for name, value in output.items()}
    if isinstance(output, list):
        return [detached(value) for value in output]
    return type(output)(**{name: detached(value) for name, value in vars(output).items()})
