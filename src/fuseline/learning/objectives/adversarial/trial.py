"""One batch, passed through a model several times with the same draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fuseline.data.dataset import Batch
from fuseline.learning.attacks import Deltas
from fuseline.learning.objectives.base import Objective, ObjectiveOutput
from fuseline.learning.objectives.perturbation import Perturbable

Start = Callable[[Perturbable], Deltas]


class PerturbedModel:
    """A model whose inputs are moved by deltas, to be handed to any objective.

    Only the call that is trained on is moved; those without gradients, by which an objective
    chooses its negatives for instance, see the batch as it is.

    Args:
        model: takes a batch as keywords.
        spaces: to be moved.
        start: the first call's deltas, which take part in its graph: at zero the output is the
            plain one, and the gradient tells an attack's first step.

    Attributes:
        deltas: by space, added to the next call.
        inputs, output: of the last call that was moved.
    """

    def __init__(self, model: Any, spaces: list[str], start: Start) -> None:
        self.model = model
        self.spaces = spaces
        self.start = start
        self.perturbable: Perturbable | None = None
        self.deltas: Deltas = {}
        self.inputs: Batch = {}
        self.output: Any = None

    def __call__(self, **inputs: Any) -> Any:
        if not torch.is_grad_enabled():
            return self.model(**inputs)
        if self.perturbable is None:
            self.perturbable = Perturbable(self.model, inputs, self.spaces)
            self.deltas = leaves(self.start(self.perturbable))
        self.inputs = inputs
        self.output = self.model(**self.perturbable.inputs(self.deltas))
        return self.output

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


class Trial:
    """All passes of one step.

    They draw the same: what is dropped, masked or paired, and which units dropout silences. So an
    attack climbs the loss that is then trained on, and a divergence between two passes measures
    the delta alone.

    Args:
        model: in training mode.
        batch: of the step.
        spaces: that may be perturbed; one in which no position of the batch can move is left out.
        start: the deltas of the first pass.
    """

    def __init__(
        self, model: Any, batch: Batch, spaces: list[str], start: Start = Perturbable.start
    ) -> None:
        self.batch = batch
        self.perturbed = PerturbedModel(model, spaces, start)
        self.forward = 0
        self.backward = 0
        # Apart from the passes' own draws, which would else begin where a random start did.
        self.generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        self._state = torch.get_rng_state()

    def clean(self, objective: Objective) -> ObjectiveOutput:
        """The first pass."""
        return self._run(objective)

    def attacked(self, objective: Objective, deltas: Deltas) -> ObjectiveOutput:
        """A further pass, moved by `deltas`."""
        self.perturbed.deltas = deltas
        return self._run(objective)

    def _run(self, objective: Objective) -> ObjectiveOutput:
        torch.set_rng_state(self._state)
        output = objective(self.perturbed, self.batch)
        self.forward += 1 + output.passes.get("forward", 0)
        self.backward += output.passes.get("backward", 0)
        return output

    def accumulate(self, loss: Tensor) -> None:
        """Add a part of the step's gradients now: one backward pass serves the parameters and
        the deltas, and its graph is freed. The loop then adds the rest."""
        # The gradient of a loss has the precision of its forward pass without being told.
        with torch.autocast(loss.device.type, enabled=False):
            loss.backward()  # type: ignore[no-untyped-call]
        self.backward += 1

    @property
    def zeros(self) -> Deltas:
        """Zero deltas by space, (B, T, D)."""
        return self._perturbable.start()

    @property
    def masks(self) -> dict[str, Tensor]:
        """(B, T) bool by space, True where a position may move."""
        return self._perturbable.masks()

    @property
    def _perturbable(self) -> Perturbable:
        assert self.perturbed.perturbable is not None  # the first pass made it
        return self.perturbed.perturbable

    def gradients(self) -> Deltas:
        """Of the deltas of the last pass, after its `accumulate`."""
        return {
            space: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
            for space, leaf in self.perturbed.deltas.items()
        }

    def passes(self) -> dict[str, int]:
        """Forward and backward passes beyond the one of each that the loop counts itself."""
        return {"forward": self.forward - 1, "backward": self.backward}

    def elsewhere(self, model: Callable[..., Any], objective: Objective) -> Any:
        """The output of another model for the clean inputs, with the same draws and no graph: a
        target. What is known of the last pass stays."""
        found: list[Any] = []

        def kept(**inputs: Any) -> Any:
            found.append(model(**inputs))
            return found[-1]

        own, self.perturbed.model = self.perturbed.model, kept
        # Without gradients nothing is moved, so that words are looked up in that model too.
        with torch.no_grad():
            self._run(objective)
        self.perturbed.model = own
        return found[-1]


def leaves(deltas: Deltas) -> Deltas:
    """The same deltas as leaves whose gradient is wanted."""
    return {space: delta.detach().requires_grad_() for space, delta in deltas.items()}
