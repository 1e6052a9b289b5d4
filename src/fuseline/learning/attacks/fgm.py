"""Fast gradient method (Miyato et al. 2017, arXiv 1605.07725; FGSM for L∞: arXiv 1412.6572)."""

from __future__ import annotations

from fuseline.learning.attacks.base import Attack
from fuseline.params.attack import BallParams, PixelAttackParams


class FGM(Attack):
    """One full step from the clean input: PGD with one step and no random start."""

    def __init__(self, params: BallParams | PixelAttackParams) -> None:
        super().__init__(params)
        self.num_steps = 1
        self.step_size = 1.0
        self.random_start = False
