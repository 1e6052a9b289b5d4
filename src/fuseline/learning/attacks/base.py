"""The one attack loop: start, ascend, project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from fuseline.errors import ConfigError
from fuseline.learning.attacks.geometry import norms, project, random_in_ball, steepest
from fuseline.params.attack import BallParams, PixelAttackParams

Deltas = dict[str, Tensor]
# By space the least and the greatest delta that each entry may have.
Bounds = dict[str, tuple[Tensor, Tensor]]
LossFunction = Callable[[Deltas], Tensor]


@dataclass
class Passes:
    """Forward and backward passes that an attack has cost, in passes over a whole batch."""

    forward: int = 0
    backward: int = 0


@dataclass
class Search:
    """Where an attack on one batch stands, so that it can be cut short and gone on with.

    Attributes:
        deltas: where the next step begins, (B, T, D) by space.
        masks: (B, T) bool by space.
        radius: by space.
        bounds: of the deltas, for spaces whose values have bounds.
        generator: of all that is drawn; the default generator if None.
        num_done: steps taken.
    """

    deltas: Deltas
    masks: dict[str, Tensor]
    radius: dict[str, float]
    bounds: Bounds
    generator: torch.Generator | None
    num_done: int = 0

    @property
    def found(self) -> Deltas:
        """What the attack would return now."""
        return self.deltas

    def take(self, keep: Tensor) -> Self:
        """The search without the rows where `keep` (B,) is False, and without the spaces in
        which no position is left that may move."""
        spaces = {space for space, mask in self.masks.items() if mask[keep].any()}
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(self, **{name: _taken(v, keep, spaces) for name, v in values.items()})


class Attack:
    """An attack on one or several spaces at once.

    Subclasses fix `num_steps`, `step_size` and `random_start`, or replace `prepared` and `move`.
    A step along a gradient costs one forward and one backward pass, the latter with gradients of
    the deltas only. Parameters and their gradients are left untouched.

    Args:
        params: radius by space, norm and steps.

    Raises:
        ConfigError: an epsilon is not above 0 (elsewhere 0 has silently meant "unbounded").
    """

    def __init__(self, params: BallParams | PixelAttackParams) -> None:
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
        bounds: Bounds | None = None,
    ) -> Deltas:
        """Find deltas that raise the loss.

        Args:
            loss_fn: deltas to per-example losses (B,), to be maximised.
            start: zero tensors (B, T, D) by space; spaces that it lacks are left out, and with
                none there is nothing to perturb.
            masks: (B, T) bool by space, True where a position may move.
            generator: of the random start; the default generator if None.
            scale: factor on every epsilon.
            bounds: least (at most 0) and greatest (at least 0) delta of each entry, by space.

        Returns:
            Detached deltas within the ball, zero where the mask is False.
        """
        search = self.begin(start, masks, generator=generator, scale=scale, bounds=bounds)
        self.advance(search, loss_fn, self.num_steps)
        return search.found

    def begin(
        self,
        start: Deltas,
        masks: dict[str, Tensor],
        *,
        generator: torch.Generator | None = None,
        scale: float = 1.0,
        bounds: Bounds | None = None,
    ) -> Search:
        """A search that has taken no step yet; arguments as those of `perturb`."""
        radius = {space: self.epsilon[space] * scale for space in sorted(start)}
        search = Search(
            deltas={space: start[space].detach() for space in radius},
            masks={space: masks[space] for space in radius},
            radius=radius,
            bounds=bounds or {},
            generator=generator,
        )
        if not search.deltas:
            # Nothing can move, and nothing tells how many rows there are.
            return search
        if self.random_start:
            self.scatter(search)
        return self.prepared(search)

    def scatter(self, search: Search) -> None:
        """Move a search to a random point of the ball."""
        for space, radius in search.radius.items():
            like, mask = search.deltas[space], search.masks[space]
            drawn = self.random_delta(like, mask, radius, search.generator)
            search.deltas[space] = bounded(drawn, search, space)

    def prepared(self, search: Search) -> Search:
        """The search with what else this attack has to remember."""
        return search

    def advance(self, search: Search, loss_fn: LossFunction, num_steps: int) -> None:
        """Go on with a search for at most `num_steps` steps, to the attack's last at most."""
        for _ in range(min(num_steps, self.num_steps - search.num_done)):
            if search.deltas:
                self.move(search, loss_fn)
            search.num_done += 1

    def move(self, search: Search, loss_fn: LossFunction) -> None:
        """One step of a search: here, along the gradient."""
        _, gradients = self.gradients(loss_fn, search.deltas)
        search.deltas = self.stepped(search, search.deltas, gradients, self.step_size)

    def gradients(self, loss_fn: LossFunction, deltas: Deltas) -> tuple[Tensor, Deltas]:
        """Detached per-example losses (B,) and their gradients; counted as a pass each."""
        leaves = {space: delta.detach().requires_grad_() for space, delta in deltas.items()}
        with torch.enable_grad():
            losses = loss_fn(leaves)
            gradients = torch.autograd.grad(
                losses.sum(), list(leaves.values()), allow_unused=True, materialize_grads=True
            )
        self.passes.forward += 1
        self.passes.backward += 1
        return losses.detach(), dict(zip(leaves, gradients, strict=True))

    def losses(self, loss_fn: LossFunction, deltas: Deltas) -> Tensor:
        """Per-example losses (B,) alone; counted as a forward pass."""
        with torch.no_grad():
            losses = loss_fn(deltas)
        self.passes.forward += 1
        return losses

    def stepped(
        self, search: Search, deltas: Deltas, gradients: Deltas, step_size: float | Tensor
    ) -> Deltas:
        """One step in every space, back into ball and bounds; `step_size` may be (B, 1, 1)."""
        moved = {}
        for space, radius in search.radius.items():
            delta = self.step(
                deltas[space], gradients[space], search.masks[space], radius, step_size
            )
            moved[space] = bounded(delta, search, space)
        return moved

    def random_delta(
        self, like: Tensor, mask: Tensor, radius: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """A random point of the ball, of the shape of `like` (B, T, D), zero where the mask is
        False."""
        moves = self._units(mask.unsqueeze(-1).expand_as(like))
        drawn = random_in_ball(self._units(like), radius, self.norm, generator, moves)
        return drawn.view_as(like)

    def step(
        self,
        delta: Tensor,
        gradient: Tensor,
        mask: Tensor,
        radius: float,
        step_size: float | Tensor | None = None,
    ) -> Tensor:
        """One step up the gradient (B, T, D), back into the ball of that radius.

        `step_size` is a fraction of it, (B, 1, 1) if examples differ; None for the attack's own.
        """
        size = self.step_size if step_size is None else step_size
        here = mask.unsqueeze(-1)
        # Masked before its length is taken: what may not move takes nothing of the step.
        direction = steepest(self._units(gradient * here), self.norm)
        moved = self._units(delta) + size * radius * direction
        return self.within(moved.view_as(delta), radius) * here

    def within(self, delta: Tensor, radius: float) -> Tensor:
        """Nearest point of the ball, (B, T, D)."""
        return project(self._units(delta), radius, self.norm).view_as(delta)

    def lengths(self, delta: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Norms that the ball bounds, (B, T) or, per example, (B, 1), and which of them belong to
        anything that may move, bool of the same shape."""
        moves = mask if self.per == "position" else mask.any(1, keepdim=True)
        return norms(self._units(delta), self.norm), moves

    def _units(self, values: Tensor) -> Tensor:
        """(B, T, D) with what one norm is taken over in the last dimension."""
        return values if self.per == "position" else values.reshape(len(values), 1, -1)


def bounded(delta: Tensor, search: Search, space: str) -> Tensor:
    """Delta within the bounds of its space. They hold the zero delta, so that no entry grows and
    the ball is not left."""
    if space not in search.bounds:
        return delta
    least, greatest = search.bounds[space]
    return delta.clamp(least, greatest)


def _taken(value: Any, keep: Tensor, spaces: set[str]) -> Any:
    """Rows of every tensor within `value`; a dict goes by space."""
    if isinstance(value, Tensor):
        return value[keep]
    if isinstance(value, dict):
        return {
            space: _taken(item, keep, spaces) for space, item in value.items() if space in spaces
        }
    if isinstance(value, tuple):
        return tuple(_taken(item, keep, spaces) for item in value)
    return value
