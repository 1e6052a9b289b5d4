"""The methods of adversarial training, by their papers' names."""

from __future__ import annotations

from fuseline.objectives.adversarial.base import AdversarialObjective
from fuseline.objectives.adversarial.free import Free
from fuseline.objectives.adversarial.freelb import FreeLB
from fuseline.objectives.adversarial.mart import Mart
from fuseline.objectives.adversarial.r3f import R3F
from fuseline.objectives.adversarial.smart import Smart
from fuseline.objectives.adversarial.standard import FGMTraining, PGDTraining
from fuseline.objectives.adversarial.trades import Trades
from fuseline.objectives.adversarial.villa import Villa

METHODS: dict[str, type[AdversarialObjective]] = {
    "fgm": FGMTraining,
    "pgd": PGDTraining,
    "freelb": FreeLB,
    "free": Free,
    "trades": Trades,
    "mart": Mart,
    "r3f": R3F,
    "smart": Smart,
    "villa": Villa,
}
