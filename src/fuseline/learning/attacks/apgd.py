"""Auto-PGD (Croce & Hein 2020, arXiv 2003.01690): the step size adapts to each example."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fuseline.learning.attacks.base import Attack, Deltas, LossFunction, Search, bounded

# The paper's constants: share of a step that is new, rises that a stretch needs, and the shares
# of the steps that the stretches between checkpoints take.
MOMENTUM = 0.75
MIN_RISES = 0.75
FIRST_STRETCH, SHRINK, SHORTEST = 0.22, 0.03, 0.06
FIRST_STEP = 2.0


@dataclass(kw_only=True)
class AdaptiveSearch(Search):
    """A search that remembers its best point, per example.

    Attributes:
        previous: the point before `deltas`; None before the first step.
        best, best_gradients, best_loss: the point of the greatest loss so far, its gradients and
            that loss (B,).
        last_loss: (B,) of the point before.
        rises: (B,) steps that raised the loss since the last checkpoint.
        step_size: (B,) fraction of epsilon.
        halved: (B,) bool, at the last checkpoint.
        best_then: (B,) best loss at the last checkpoint.
    """

    previous: Deltas | None
    best: Deltas
    best_gradients: Deltas
    best_loss: Tensor
    last_loss: Tensor
    rises: Tensor
    step_size: Tensor
    halved: Tensor
    best_then: Tensor

    @property
    def found(self) -> Deltas:
        return self.best

    def note(self, losses: Tensor, gradients: Deltas) -> None:
        """Compare the losses (B,) at `deltas` with those before."""
        self.rises = self.rises + (losses > self.last_loss)
        self.last_loss = losses
        better = losses > self.best_loss
        self.best_loss = torch.where(better, losses, self.best_loss)
        self.best = chosen(better, self.deltas, self.best)
        self.best_gradients = chosen(better, gradients, self.best_gradients)

    def halve(self, stretch: int) -> Tensor:
        """(B,) bool: examples whose step size is halved at a checkpoint after `stretch` steps,
        as too few of them raised the loss, or neither step size nor best loss has changed since
        the last one."""
        too_few = self.rises < MIN_RISES * stretch
        stuck = ~self.halved & (self.best_loss <= self.best_then)
        self.halved = too_few | stuck
        self.step_size = torch.where(self.halved, self.step_size / 2, self.step_size)
        self.best_then = self.best_loss
        self.rises = torch.zeros_like(self.rises)
        return self.halved


class APGD(Attack):
    """PGD with momentum, whose step starts at twice epsilon and is halved, example by example,
    at checkpoints where it no longer pays; the search then goes on from the best point.

    Passes: `num_steps` forward and backward ones, and a forward one of the last point. `step_size`
    of the params plays no part.

    Deviation: step and best point are an example's, shared by all spaces that are perturbed at
    once; each space has its own ball, per position if the params say so.
    """

    def prepared(self, search: Search) -> AdaptiveSearch:
        some = next(iter(search.deltas.values()))
        unknown = torch.full((len(some),), -torch.inf)
        never = torch.zeros(len(some), dtype=torch.bool)
        return AdaptiveSearch(
            **vars(search),
            previous=None,
            best=search.deltas,
            best_gradients={space: torch.zeros_like(d) for space, d in search.deltas.items()},
            best_loss=unknown,
            last_loss=-unknown,
            rises=torch.zeros(len(some), dtype=torch.long),
            step_size=torch.full((len(some),), FIRST_STEP),
            # The first checkpoint has none before it that its best loss could equal.
            halved=never,
            best_then=unknown,
        )

    def move(self, search: Search, loss_fn: LossFunction) -> None:
        """One step with momentum; the last one also looks where it led."""
        assert isinstance(search, AdaptiveSearch)  # `begin` made it
        losses, gradients = self.gradients(loss_fn, search.deltas)
        search.note(losses.float(), gradients)
        stretch = checkpoints(self.num_steps).get(search.num_done)
        if stretch is not None:
            restarted = search.halve(stretch)
            search.deltas = chosen(restarted, search.best, search.deltas)
            gradients = chosen(restarted, search.best_gradients, gradients)
        here = search.deltas
        search.deltas = self._with_momentum(search, gradients)
        search.previous = here
        if search.num_done == self.num_steps - 1:
            last = self.losses(loss_fn, search.deltas)
            search.note(last.float(), search.best_gradients)

    def _with_momentum(self, search: AdaptiveSearch, gradients: Deltas) -> Deltas:
        here, before = search.deltas, search.previous
        some = next(iter(here.values()))
        size = search.step_size.to(some.dtype).view(-1, 1, 1)
        there = self.stepped(search, here, gradients, size)
        if before is None:
            return there
        moved = {}
        for space, radius in search.radius.items():
            point = (
                here[space]
                + MOMENTUM * (there[space] - here[space])
                + (1 - MOMENTUM) * (here[space] - before[space])
            )
            moved[space] = bounded(self.within(point, radius), search, space)
        return moved


def checkpoints(num_steps: int) -> dict[int, int]:
    """Steps at which step sizes may be halved, each with the number of steps since the last."""
    found, share, stretch, last = {}, FIRST_STRETCH, FIRST_STRETCH, 0
    while share <= 1.0:
        # Sums of shares are a little off: 57 of 100 steps must not become 58.
        step = math.ceil(round(share * num_steps, 6))
        if step > last:
            found[step] = step - last
        last = step
        stretch = max(stretch - SHRINK, SHORTEST)
        share += stretch
    return found


def chosen(rows: Tensor, first: Deltas, second: Deltas) -> Deltas:
    """`first` for the rows (B,) where True, `second` elsewhere."""
    where = rows.view(-1, 1, 1)
    return {space: torch.where(where, first[space], second[space]) for space in first}
