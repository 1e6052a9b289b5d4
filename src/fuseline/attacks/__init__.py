"""Attacks: perturbations that raise a loss within a ball. They never see a model."""

from __future__ import annotations

from fuseline.attacks.base import Attack, Deltas, LossFunction
from fuseline.attacks.fgm import FGM
from fuseline.attacks.pgd import PGD
from fuseline.params.attack import AttackParams
from fuseline.registry import lookup

ATTACKS: dict[str, type[Attack]] = {
    "fgm": FGM,
    "pgd": PGD,
}


def build_attack(params: AttackParams) -> Attack:
    """Build the attack that `params.kind` names.

    Raises:
        ConfigError: no attack of that name, or an epsilon that is not above 0.
    """
    return lookup(ATTACKS, params.kind, where="attack.kind")(params)


__all__ = ["ATTACKS", "Attack", "Deltas", "LossFunction", "build_attack"]
