"""What one of each amount of work takes, as it was measured: `slopes.json` beside this file.

`python -m benchmarks.slopes --write` measures them, on two threads and in float32.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fuseline.workbench.estimate.calibration import Speed
from fuseline.workbench.estimate.work import Amounts

PLACE = Path(__file__).with_name("slopes.json")
ARITHMETIC = ("gmac", "gweights", "passes")


@dataclass(frozen=True)
class Slopes:
    """Of all stages, and of the machine that they were measured on.

    Attributes:
        stages: by family of stages, figure (`seconds`, `memory_mb`, `disk_mb`) and amount.
        speed: of that machine.
    """

    stages: dict[str, dict[str, dict[str, float]]]
    speed: Speed

    def seconds(self, stage: str, amounts: Amounts, here: Speed) -> float:
        """Of a stage, on a machine of another speed."""
        arithmetic, others = here.products / self.speed.products, here.steps / self.speed.steps
        of = self._of(stage, "seconds")
        return sum(
            of.get(name, 0.0) * amount * (arithmetic if name.endswith(ARITHMETIC) else others)
            for name, amount in amounts.items()
        )

    def bytes(self, stage: str, figure: str, amounts: Amounts) -> float:
        """Of memory (`memory_mb`) or disk (`disk_mb`)."""
        of = self._of(stage, figure)
        return 1e6 * sum(of.get(name, 0.0) * amount for name, amount in amounts.items())

    def _of(self, stage: str, figure: str) -> dict[str, float]:
        return self.stages.get(family(stage), {}).get(figure, {})


def family(stage: str) -> str:
    """Stages that have slopes in common: cells of a matrix over models, not of one over
    modalities, which have an encoder each."""
    return stage if stage.startswith("extract_features") else stage.partition("@")[0]


@cache
def measured() -> Slopes:
    """Those that come with the package."""
    content = json.loads(PLACE.read_text(encoding="utf-8"))
    return Slopes(content["stages"], Speed(**content["speed"]))
