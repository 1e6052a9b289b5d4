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
from fuseline.data.modalities.extraction.extract import (
    ID_COLUMNS,
    Counts,
    Runtime,
    any_present,
    list_column,
    write_absent,
)
from fuseline.data.modalities.extraction.fitting import fitting_rows
from fuseline.data.modalities.tabular.columns import COLUMNS, Column, guess_kind
from fuseline.data.modalities.tabular.encoding import TabularEncoding, cells_of
from fuseline.errors import ConfigError
from fuseline.params.extract_features import TabularFeatureParams

if TYPE_CHECKING:
    from fuseline.pipeline.precision import Precision

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
    kinds = ", ".join(f"{column.name} {column.kind}" for column in columns)
    tqdm.write(f"extract tabular features: {kinds}; {unparsed} cells do not parse")
    writer.finish(
        modality="tabular",
        shape=list(shape),
        encoder=ENCODER,
        revision="",
        config=None,
        columns=[column.state() for column in columns],
    )
    return counts.figures(*shape) | {"columns": len(columns), "unparsed_cells": unparsed}


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
