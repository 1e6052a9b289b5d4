"""What each stage costs: by its own last run, scaled to what is asked now, or by the slopes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError
from fuseline.params.whole import set_keys
from fuseline.pipeline.durations import LastRun
from fuseline.workbench.estimate.asked import Asked
from fuseline.workbench.estimate.calibration import Speed
from fuseline.workbench.estimate.facts import Facts
from fuseline.workbench.estimate.slopes import Slopes
from fuseline.workbench.estimate.work import Work

# Tables that grow with the rows: each stage but `ingest` reads one of them.
GROWING = ("data/examples", "data/tokens")
LAST_RUN, SLOPES = "last run", "slopes"


@dataclass(frozen=True)
class Cost:
    """What a stage costs.

    Attributes:
        seconds: of the clock; None of a stage that nothing is known of.
        memory: bytes that its processes hold at most.
        disk: bytes that it writes.
        known_from: `last run` or `slopes`, of the seconds.
    """

    seconds: float | None
    memory: float
    disk: float
    known_from: str


@dataclass(frozen=True)
class Estimator:
    """Counts with one set of slopes on one machine.

    Attributes:
        content: of the params file.
        facts: of the rows that are asked for.
        slopes: what one of each amount takes.
        speed: of this machine.
        cores: of this machine.
    """

    content: dict[str, Any]
    facts: Facts
    slopes: Slopes
    speed: Speed
    cores: float

    def costs(
        self, stages: Iterable[str], last: Mapping[str, LastRun], then: Facts | None
    ) -> dict[str, Cost]:
        """By stage.

        Args:
            stages: DVC's names.
            last: their last runs.
            then: of the rows that are ingested now; None where that is not known.
        """
        return {name: self._cost(name, last.get(name), then) for name in stages}

    def _cost(self, stage: str, last: LastRun | None, then: Facts | None) -> Cost:
        work = Work(Asked.of(self.content), self.facts, self.cores)
        by_slopes = self._seconds(work, stage)
        times = self._times_last(stage, last, then, by_slopes) if last and then else None
        seconds = last.seconds * times if last and times is not None else by_slopes
        return Cost(
            seconds=seconds or None,
            memory=self.slopes.bytes(stage, "memory_mb", work.memory(stage)),
            disk=self.slopes.bytes(stage, "disk_mb", work.disk(stage)),
            known_from=SLOPES if times is None else LAST_RUN,
        )

    def _seconds(self, work: Work, stage: str) -> float:
        return self.slopes.seconds(stage, work.of(stage), self.speed)

    def _times_last(
        self, stage: str, last: LastRun, then: Facts, now_seconds: float
    ) -> float | None:
        """How many times the last run's time a stage takes now, by the slopes; None where its work
        of then is not known."""
        rows = _rows_of(last, then)
        if not last.whole or rows is None:
            return None
        content = copy.deepcopy(self.content)
        try:
            set_keys(content, last.params)
            asked = Asked.of(content)
        except (ConfigError, KeyError):
            # Params of another version of the code.
            return None
        seconds = self._seconds(Work(asked, then.scaled(rows), self.cores), stage)
        return now_seconds / seconds if seconds else None


def _rows_of(last: LastRun, ingested: Facts) -> float | None:
    """Rows that a stage read when it ran last, by the size of the table that it read: from the rows
    and the size that the table has now."""
    for table in GROWING:
        if table in last.sizes and (now := _size(Path(table))):
            return ingested.rows * last.sizes[table] / now
    return ingested.rows if "data/raw" in last.sizes else None


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
