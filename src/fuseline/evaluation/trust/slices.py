"""Scores of parts of the test rows: by language, by source, by columns that the user names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.contracts import EXAMPLES, iter_shards
from fuseline.errors import ConfigError
from fuseline.evaluation.trust.intervals import Figures
from fuseline.registry import suggestion

# Columns of every examples table.
ALWAYS = ("lang", "provenance")
Values = Sequence[str | None]


def read_slice_columns(
    examples: Path, example_ids: Sequence[str], names: Sequence[str]
) -> dict[str, Values]:
    """By column the value of each row: `lang` and `provenance`, and `names` of table columns or
    of targets.

    Args:
        examples: the table.
        example_ids: of N rows in it.
        names: of further columns.

    Raises:
        ConfigError: no row of the table has a column of that name.
    """
    wanted, rows = set(example_ids), {}
    columns = ["example_id", *ALWAYS, "tabular", "targets"]
    # Of all rows: those of a small split may all lack a cell.
    names_of_all = set(ALWAYS)
    for _, table in iter_shards(examples, EXAMPLES, "examples", columns):
        for row in table.to_pylist():
            cells = dict(row["targets"] or ()) | dict(row["tabular"] or ())
            names_of_all |= cells.keys()
            if row["example_id"] in wanted:
                rows[row["example_id"]] = cells | {name: row[name] for name in ALWAYS}
    found = [rows[example_id] for example_id in example_ids]
    known = sorted(names_of_all)
    for place, name in enumerate(names):
        if name not in known:
            raise ConfigError(
                f"evaluate.trust.slices[{place}]: expected a column of the examples"
                f" ({', '.join(known)}); found '{name}'.{suggestion(name, known)} Name columns"
                " that the source maps under `columns.tabular` or `columns.targets`."
            )
    return {name: [row.get(name) for row in found] for name in dict.fromkeys([*ALWAYS, *names])}


def measure_slices(
    columns: dict[str, Values],
    figures_of: Callable[[np.ndarray], Figures],
    *,
    min_rows: int,
    num_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Scores by column and value.

    Args:
        columns: by name the value of each of N rows, None where a row states none.
        figures_of: what is measured of some rows, given by their numbers.
        min_rows: of a slice; of fewer a figure says nothing.
        num_resamples, seed: of the intervals.

    Returns:
        By column `slices`, in order of their values (None first), each with `value`, `rows`, its
        scores and their `intervals`; `rows_left_out`, those of smaller slices; and `gap`, of each
        score the difference between its best and its worst slice, 0 with a single one.
    """
    return {
        name: _column(values, figures_of, min_rows, num_resamples, seed)
        for name, values in columns.items()
    }


def _column(
    values: Values,
    figures_of: Callable[[np.ndarray], Figures],
    min_rows: int,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    members: dict[str | None, list[int]] = {}
    for row, value in enumerate(values):
        members.setdefault(value, []).append(row)
    large = {value: rows for value, rows in members.items() if len(rows) >= min_rows}
    slices = [
        _slice(value, np.array(large[value]), figures_of, resamples, seed)
        for value in sorted(large, key=lambda value: (value is not None, value or ""))
    ]
    names = [] if not slices else list(slices[0]["intervals"])
    return {
        "slices": slices,
        "rows_left_out": len(values) - sum(len(rows) for rows in large.values()),
        "gap": {name: _gap([one[name] for one in slices]) for name in names},
    }


def _slice(
    value: str | None,
    rows: np.ndarray,
    figures_of: Callable[[np.ndarray], Figures],
    num_resamples: int,
    seed: int,
) -> dict[str, Any]:
    figures = figures_of(rows)
    return {
        "value": value,
        "rows": len(rows),
        **figures.values(),
        "intervals": figures.intervals(num_resamples=num_resamples, seed=seed),
    }


def _gap(values: list[float]) -> float:
    return max(values) - min(values)
