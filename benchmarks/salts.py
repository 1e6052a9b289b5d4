"""Settings beside each other, over split salts that no headline is reported on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workspace import FEW_ATTACKS, ROOT, change_params, clean_clone

SALTS = (11, 12, 13)
Measured = Callable[[Path], list[float]]


def compare(
    settings: Mapping[str, dict[str, Any]],
    measured: Measured,
    columns: Sequence[str],
    common: Mapping[str, Any],
    salts: Sequence[int] = SALTS,
    origin: Path = ROOT,
) -> None:
    """Run each setting once per salt; print every run as a line, then means as Markdown.

    Args:
        settings: by the name of a row, the params that it changes.
        measured: runs what is needed in a clone and gives the figures, as in `columns`.
        columns: heads of the table; seconds and numbers of parameters end in `, s` and
            `parameters`, all others are shares.
        common: params of all runs.
        salts: of the split.
        origin: the repository that is cloned for each salt.
    """
    figures: dict[str, list[list[float]]] = {name: [] for name in settings}
    for salt in salts:
        with clean_clone(origin) as clone:
            change_params(clone, {**FEW_ATTACKS, **common, "ingest.split.salt": salt})
            for name, changes in settings.items():
                change_params(clone, changes)
                figures[name].append(measured(clone))
                row = {"salt": salt, "setting": name, "figures": figures[name][-1]}
                print(json.dumps(row), flush=True)
    print(table(figures, columns))


def table(figures: dict[str, list[list[float]]], columns: Sequence[str]) -> str:
    """Means over runs, as Markdown."""
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, runs in figures.items():
        means = np.mean(runs, axis=0)
        cells = [_cell(column, mean) for column, mean in zip(columns, means, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(column: str, mean: float) -> str:
    if column == "parameters":
        return f"{mean / 1e6:.1f} million"
    return f"{mean:.0f}" if column.endswith(", s") else f"{mean:.3f}"
