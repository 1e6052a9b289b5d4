"""The one attack loop: start, ascend, project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fuseline.attacks.geometry import project, random_in_ball, steepest
from fuseline.errors import ConfigError
from fuseline.params.attack import BallParams

Deltas = dict[str, Tensor]
LossFunction = Callable[[Deltas], Tensor]


@dataclass
class Passes:
    """Forward and backward passes that an attack has cost, in passes over a whole batch."""

    forward: int = 0
    backward: int = 0


class Attack:
    """A gradient attack on one or several spaces at once.

    Subclasses fix `num_steps`, `step_size` and `random_start`; each step costs one forward and
    one backward pass, the latter with gradients of the deltas only. Parameters and their
    gradients are left untouched.

    Args:
        params: radius by space, norm and steps.

    Raises:
        ConfigError: an epsilon is not above 0 (elsewhere 0 has silently meant "unbounded").
    """

    def __init__(self, params: BallParams) -> None:
        for space, radius in params.epsilon.items():
            if not radius > 0:
                raise ConfigError(f"attack.epsilon.{space}: must be above 0, found {radius}.")
        self.epsilon: dict[str, float] = {
            str(space): radius for space, radius in params.epsilon.items()
        }
        self.norm = params.norm
        self.per = params.per
        self.num_steps = params.num_steps
        self.step_size = params.step_size
        self.random_start = params.random_start
        self.passes = Passes()

    @property
    def spaces(self) -> list[str]:
        """Names of the perturbed spaces."""
        return sorted(self.epsilon)

    def perturb(
        self,
        loss_fn: LossFunction,
        start: Deltas,
        masks: dict[str, Tensor],
        *,
        generator: torch.Generator | None = None,
        scale: float = 1.0,
    ) -> Deltas:
        """Find deltas that raise the loss.

        Args:
            loss_fn: deltas to per-example losses (B,), to be maximised.
            start: zero tensors (B, T, D) by space; spaces that it lacks are left out, and with
                none there is nothing to perturb.
            masks: (B, T) bool by space, True where a position may move.
            generator: of the random start; the default generator if None.
            scale: factor on every epsilon.

        Returns:
            Detached deltas within the ball, zero where the mask is False.
        """
        radius = {space: self.epsilon[space] * scale for space in sorted(start)}
        if not radius:
            return {}
        deltas = {space: start[space].detach() for space in radius}
        if self.random_start:
            deltas = {
                space: self.random_delta(start[space], masks[space], radius[space], generator)
                for space in radius
            }
        for _ in range(self.num_steps):
            gradients = self._gradients(loss_fn, deltas)
            deltas = {
                space: self.step(deltas[space], gradients[space], masks[space], radius[space])
                for space in radius
            }
        return deltas

    def _gradients(self, loss_fn: LossFunction, deltas: Deltas) -> Deltas:
        leaves = {space: delta.detach().requires_grad_() for space, delta in deltas.items()}
        with torch.enable_grad():
            total = loss_fn(leaves).sum()
            gradients = torch.autograd.grad(
                total, list(leaves.values()), allow_unused=True, materialize_grads=True
            )
        self.passes.forward += 1
        self.passes.backward += 1
        return dict(zip(leaves, gradients, strict=True))

    def random_delta(
        self, like: Tensor, mask: Tensor, radius: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """A random point of the ball, of the shape of `like` (B, T, D), zero where the mask is
        False."""
        drawn = random_in_ball(self._units(like), radius, self.norm, generator)
        return drawn.view_as(like) * mask.unsqueeze(-1)

    def step(self, delta: Tensor, gradient: Tensor, mask: Tensor, radius: float) -> Tensor:
        """One step up the gradient (B, T, D), back into the ball of that radius."""
        here = mask.unsqueeze(-1)
        # Masked before its length is taken: what may not move takes nothing of the step.
        direction = steepest(self._units(gradient * here), self.norm)
        moved = self._units(delta) + self.step_size * radius * direction
        return project(moved, radius, self.norm).view_as(delta) * here

    def _units(self, values: Tensor) -> Tensor:
        """(B, T, D) with what one norm is taken over in the last dimension."""
        return values if self.per == "position" else values.reshape(len(values), 1, -1)
