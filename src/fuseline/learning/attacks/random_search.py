"""Random search, which sees losses and no gradient (after Andriushchenko et al. 2020, Square
Attack, arXiv 1912.00049)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fuseline.learning.attacks.apgd import chosen
from fuseline.learning.attacks.base import Attack, LossFunction, Search, bounded
from fuseline.learning.attacks.geometry import steepest

FIRST_SHARE = 0.8
# The paper's, of 10 000 queries: the share of what is redrawn is halved at each.
HALVED_AT = (0.001, 0.005, 0.02, 0.1, 0.2, 0.4, 0.6, 0.8)


@dataclass(kw_only=True)
class QuerySearch(Search):
    """A search that knows the loss (B,) where it stands; None before the first query."""

    loss: Tensor | None = None


class RandomSearch(Attack):
    """Redraw a share of the coordinates, go to the surface of the ball, and stay there if the
    loss rises; the share shrinks as the search goes on.

    For L∞ a coordinate is redrawn as plus or minus epsilon, for L2 from a normal distribution of
    the spread that coordinates on the surface have. With `random_start` the first draw is of all
    coordinates; the search always begins at the clean input, so that its loss never falls.

    Passes: one forward pass of the clean input and one per step, no backward pass. `step_size`
    of the params plays no part.

    Deviation: the paper redraws a square window of an image; embeddings and features have no
    such neighbourhoods, so that single coordinates are drawn, and pixels are treated like them.
    """

    def scatter(self, search: Search) -> None:
        """Stay at the clean input: the first query redraws everything."""

    def prepared(self, search: Search) -> QuerySearch:
        return QuerySearch(**vars(search))

    def move(self, search: Search, loss_fn: LossFunction) -> None:
        """One query, two for the first step."""
        assert isinstance(search, QuerySearch)  # `begin` made it
        if search.loss is None:
            search.loss = self.losses(loss_fn, search.deltas).float()
        share = self._share(search.num_done)
        drawn = {space: self._redrawn(search, space, share) for space in search.radius}
        losses = self.losses(loss_fn, drawn).float()
        higher = losses > search.loss
        search.loss = torch.where(higher, losses, search.loss)
        search.deltas = chosen(higher, drawn, search.deltas)

    def _share(self, num_done: int) -> float:
        if self.random_start and num_done == 0:
            return 1.0
        halvings = sum(num_done >= at * self.num_steps for at in HALVED_AT)
        return float(FIRST_SHARE / 2**halvings)

    def _redrawn(self, search: Search, space: str, share: float) -> Tensor:
        """A neighbour of the delta on the surface of the ball, (B, T, D)."""
        delta, radius = search.deltas[space], search.radius[space]
        here = search.masks[space].unsqueeze(-1)
        fresh = torch.randn(delta.shape, generator=search.generator).to(delta.dtype)
        redrawn = torch.rand(delta.shape, generator=search.generator) < share
        spread = self._spread(delta, here)
        mixed = torch.where(redrawn, fresh, delta * (spread / radius)) * here
        direction = steepest(self._units(mixed), self.norm).view_as(delta)
        return bounded(self.within(radius * direction, radius) * here, search, space)

    def _spread(self, delta: Tensor, here: Tensor) -> float | Tensor:
        """What takes a unit vector's coordinates to those of normal draws: for L2 the root of
        their number."""
        if self.norm == "linf":
            return 1.0
        if self.per == "position":
            return float(delta.shape[-1] ** 0.5)
        number = here.flatten(1).sum(1) * delta.shape[-1]
        return number.to(delta.dtype).sqrt().view(-1, 1, 1)
