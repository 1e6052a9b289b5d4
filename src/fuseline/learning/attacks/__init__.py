"""Attacks: perturbations that raise a loss within a ball. They never see a model."""

from __future__ import annotations

from fuseline.learning.attacks.apgd import APGD
from fuseline.learning.attacks.base import Attack, Deltas, LossFunction
from fuseline.learning.attacks.fgm import FGM
from fuseline.learning.attacks.pgd import PGD
from fuseline.learning.attacks.random_search import RandomSearch
from fuseline.params.attack import AttackParams, PixelAttackParams
from fuseline.registry import lookup

ATTACKS: dict[str, type[Attack]] = {
    "apgd": APGD,
    "fgm": FGM,
    "pgd": PGD,
    "random_search": RandomSearch,
}


def build_attack(params: AttackParams | PixelAttackParams) -> Attack:
    """Build the attack that `params.kind` names.

    Raises:
        ConfigError: no attack of that name, or an epsilon that is not above 0.
    """
    return lookup(ATTACKS, params.kind, where="attack.kind")(params)


__all__ = ["ATTACKS", "Attack", "Deltas", "LossFunction", "build_attack"]
