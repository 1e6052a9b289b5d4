"""The estimate as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fuseline.workbench.estimate.costs import LAST_RUN, SLOPES, Cost
from fuseline.workbench.estimate.due import Due
from fuseline.workbench.terminal import aligned, duration, size

# How far seconds were off where they were checked: docs/experiments/speed.md.
OFF = {
    LAST_RUN: "those from the last run are that run's, scaled to these params and rows",
    SLOPES: "those from slopes may be off by half, and all together by a third",
}


def describe(due: Due | None, costs: Mapping[str, Cost], told: str) -> str:
    """A line per stage, then their sum and how far to trust it.

    Args:
        due: which of them run; None where all are asked for.
        costs: by stage, in the order to show.
        told: what rows these are of.
    """
    head = ["stage", *(["runs"] if due else []), "time", "memory", "disk", "time from"]
    rows = [
        [
            name,
            *([("yes" if name in due.will else "maybe")] if due else []),
            _about(cost.seconds) if cost.seconds else "?",
            size(cost.memory),
            size(cost.disk),
            cost.known_from,
        ]
        for name, cost in costs.items()
    ]
    kinds = dict.fromkeys(cost.known_from for cost in costs.values())
    trust = "; ".join(OFF[kind] for kind in kinds)
    return "\n".join([*aligned([head, *rows]), *_sum(due, costs, told), f"Times: {trust}."])


def describe_unknown(due: Due | None, stages: Iterable[str]) -> str:
    """What there is to say where nobody knows how many rows there will be."""
    named = [f"{name} (maybe)" if due and name in due.may else name for name in stages]
    return (
        f"To run: {', '.join(named)}.\nHow many rows the source has is known once they are read."
        " What so many cost: fuseline estimate --rows 10000"
    )


def _sum(due: Due | None, costs: Mapping[str, Cost], told: str) -> list[str]:
    whole = _seconds(costs.values())
    certain = _seconds(cost for name, cost in costs.items() if due and name in due.will)
    time = f"about {_about(whole)}"
    if due and due.may & costs.keys():
        time = f"about {_about(certain)}, or {_about(whole)} with all that may run"
    memory = max(cost.memory for cost in costs.values())
    disk = sum(cost.disk for cost in costs.values())
    return [f"{told}: {time}; memory up to {size(memory)}, disk {size(disk)} with DVC's cache."]


def _seconds(costs: Iterable[Cost]) -> float:
    return sum(cost.seconds or 0.0 for cost in costs)


def _about(seconds: float) -> str:
    """No finer than it is known: to 10 s from a minute on, to a minute from ten on."""
    step = 1 if seconds < 60 else 10 if seconds < 600 else 60
    return duration(step * round(seconds / step))
