"""How far outputs lie from a target, by what they are logits of."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def categorical(logits: Tensor, target: Tensor) -> Tensor:
    """KL divergence of softmax distributions from the target's: (..., C) to (...)."""
    found, wanted = logits.log_softmax(-1), target.log_softmax(-1)
    return functional.kl_div(found, wanted, reduction="none", log_target=True).sum(-1)


def bernoulli(logits: Tensor, target: Tensor) -> Tensor:
    """KL divergence of independent yes-or-no distributions from the target's, of each logit."""
    wanted = target.sigmoid()
    # Cross-entropy less the target's own entropy: neither takes the logarithm of a rounded 0.
    cross = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    own = functional.binary_cross_entropy_with_logits(target, wanted, reduction="none")
    return cross - own
