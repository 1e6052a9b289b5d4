"""Balls and directions: norms are taken over the last dimension."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Norm = Literal["l2", "linf"]


def norms(delta: Tensor, norm: Norm) -> Tensor:
    """Norm over the last dimension, in float32: (B, T, D) to (B, T)."""
    order = 2.0 if norm == "l2" else float("inf")
    length: Tensor = torch.linalg.vector_norm(delta.float(), ord=order, dim=-1)
    return length


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """Unit-norm direction of steepest ascent; a zero gradient gives a zero direction.

    The gradient is first divided by its largest entry, since squares of small gradients
    underflow; the guard is the smallest normal number of the dtype, not a constant that half
    precision rounds to zero.
    """
    if norm == "linf":
        return gradient.sign()
    tiny = torch.finfo(gradient.dtype).tiny
    scaled = gradient / gradient.abs().amax(dim=-1, keepdim=True).clamp_min(tiny)
    length = norms(scaled, norm).unsqueeze(-1).to(gradient.dtype)
    return scaled / length.clamp_min(tiny)


def project(delta: Tensor, epsilon: float, norm: Norm) -> Tensor:
    """Nearest point of the ball of radius `epsilon`; the zero delta stays zero."""
    if norm == "linf":
        return delta.clamp(-epsilon, epsilon)
    tiny = torch.finfo(delta.dtype).tiny
    length = norms(delta, norm).unsqueeze(-1).to(delta.dtype)
    return delta * (epsilon / length.clamp_min(tiny)).clamp_max(1.0)


def random_in_ball(
    shape_like: Tensor,
    epsilon: float,
    norm: Norm,
    generator: torch.Generator | None,
    moves: Tensor | None = None,
) -> Tensor:
    """A random point of the ball: uniform for L∞; for L2 a uniform direction and radius.

    Entries that `moves`, of the same shape, has False are zero and take nothing of the radius.
    """
    shape, dtype = shape_like.shape, shape_like.dtype
    if norm == "linf":
        drawn = (torch.rand(shape, generator=generator, dtype=dtype) * 2 - 1) * epsilon
        return drawn if moves is None else drawn * moves
    drawn = torch.randn(shape, generator=generator, dtype=dtype)
    direction = steepest(drawn if moves is None else drawn * moves, norm)
    return direction * epsilon * torch.rand((*shape[:-1], 1), generator=generator, dtype=dtype)
