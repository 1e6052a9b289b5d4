"""Columns of a table to numbers: scaled and binned, one-hot, or parts of a date.

The encoding is fitted on training rows only, and on those of the first rows alone that
`fitting_rows` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from fuseline.contracts import EXAMPLES, TableWriter, features_schema, iter_shards, read_manifest
from fuseline.errors import ConfigError
from fuseline.modalities.columns import COLUMNS, Column, guess_kind
from fuseline.modalities.extraction import (
    ID_COLUMNS,
    Counts,
    Runtime,
    any_present,
    list_column,
    write_absent,
)
from fuseline.modalities.fitting import fitting_rows
from fuseline.params.extract_features import TabularFeatureParams

if TYPE_CHECKING:
    from fuseline.precision import Precision

ENCODER = "columns"
# Above this many fitting rows every second, fourth, … is fitted on, so that memory is bounded.
MOST_FITTED_ROWS = 1 << 20


def extract_tabular_features(
    examples: Path,
    features: Path,
    params: TabularFeatureParams,
    precision: Precision,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """Write the tabular features table: one position, all columns side by side.

    Args:
        examples: the examples table.
        features: folder of the new table.
        params: kinds of columns, bins, categories.
        precision: not used; cells are computed in float64.
        runtime: not used; encoding a cell costs less than looking it up.

    Returns:
        Counts of rows, missing rows and cells that do not parse, shape, mean norm.

    Raises:
        ConfigError: `kinds` names a column that the table has not.
    """
    del precision, runtime
    if not any_present(examples, ("tabular",)):
        return write_absent(examples, features, "tabular") | {"columns": 0, "unparsed_cells": 0}
    columns = fit_columns(examples, params)
    encoding = TabularEncoding(columns)
    shape = (1, encoding.dim)
    writer = TableWriter(features, features_schema(*shape), "features")
    counts = Counts()
    unparsed = 0
    shards = iter_shards(examples, EXAMPLES, "examples", [*ID_COLUMNS, "tabular"])
    total = read_manifest(examples, "examples")["rows"]
    with tqdm(total=total, desc="extract tabular features", unit="row") as progress:
        for name, table in shards:
            cells = table.column("tabular").combine_chunks()
            values, bad = encoding.encode(cells)
            column, shard_counts = list_column(values, pc.is_valid(cells).to_numpy(False))
            writer.write(name, table.select(ID_COLUMNS).append_column("features", column))
            counts.add(shard_counts)
            unparsed += bad
            progress.update(table.num_rows)
    writer.finish(
        modality="tabular",
        shape=list(shape),
        encoder=ENCODER,
        revision="",
        config=None,
        columns=[column.state() for column in columns],
    )
    return counts.figures(*shape) | {"columns": len(columns), "unparsed_cells": unparsed}


class TabularEncoding:
    """Fitted columns, side by side.

    Args:
        columns: in order.
    """

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        # A table none of whose training rows has a cell still needs a width.
        self.dim = max(1, sum(column.dim for column in columns))

    @classmethod
    def from_manifest(cls, columns: list[dict[str, Any]]) -> TabularEncoding:
        """The encoding that a features table's manifest, or a saved model, carries."""
        return cls([COLUMNS[state["kind"]].from_state(state) for state in columns])

    def encode(self, cells: pa.MapArray) -> tuple[np.ndarray, int]:
        """Encode rows of map<string, string>: (N, 1, D) float16, and the number of cells that do
        not parse, which count as missing."""
        values = np.zeros((len(cells), 1, self.dim), dtype=np.float16)
        start = unparsed = 0
        for column in self.columns:
            encoded, bad = column.encode(cells_of(cells, column.name))
            values[:, 0, start : start + column.dim] = encoded
            start += column.dim
            unparsed += bad
        return values, unparsed


def fit_columns(examples: Path, params: TabularFeatureParams) -> list[Column]:
    """Kinds and statistics of all columns, in order of their names.

    Raises:
        ConfigError: `kinds` names a column that no fitted row has.
    """
    fitted = pa.concat_arrays([*_fitting_cells(examples), _no_cells()])
    names = sorted(pc.unique(fitted.keys).to_pylist())
    unknown = sorted(set(params.kinds) - set(names))
    if unknown:
        raise ConfigError(
            f"extract_features.tabular.kinds: expected columns of the table"
            f" ({', '.join(names) or 'none'}), found '{unknown[0]}'."
        )
    columns = []
    for name in names:
        cells = cells_of(fitted, name)
        kind = params.kinds.get(name) or guess_kind(cells)
        columns.append(COLUMNS[kind].fit(name, cells, params))
    return columns


def cells_of(cells: pa.MapArray, name: str) -> pa.Array:
    """One column (N,) of strings, null where a row has no such cell."""
    return pc.map_lookup(cells, pa.scalar(name), "first")


def _fitting_cells(examples: Path) -> Iterator[pa.MapArray]:
    """Cells of the training rows among the rows that count."""
    left = fitting_rows(read_manifest(examples, "examples")["rows"])
    step = max(1, left // MOST_FITTED_ROWS)
    first = 0
    for _, table in iter_shards(examples, EXAMPLES, "examples", ["split", "tabular"]):
        part = table.slice(0, left)
        numbers = first + np.arange(part.num_rows)
        is_fitted = pc.and_(pc.equal(part.column("split"), "train"), pa.array(numbers % step == 0))
        yield part.filter(is_fitted).column("tabular").combine_chunks()
        first += part.num_rows
        left -= part.num_rows
        if left == 0:
            return


def _no_cells() -> pa.MapArray:
    return pa.array([], EXAMPLES.field("tabular").type)
