"""The methods of adversarial training, by their papers' names."""

from __future__ import annotations

from fuseline.learning.objectives.adversarial.base import AdversarialObjective
from fuseline.learning.objectives.adversarial.free import Free
from fuseline.learning.objectives.adversarial.freelb import FreeLB
from fuseline.learning.objectives.adversarial.mart import Mart
from fuseline.learning.objectives.adversarial.pgd import FGMTraining, PGDTraining
from fuseline.learning.objectives.adversarial.r3f import R3F
from fuseline.learning.objectives.adversarial.smart import Smart
from fuseline.learning.objectives.adversarial.trades import Trades
from fuseline.learning.objectives.adversarial.villa import Villa

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
