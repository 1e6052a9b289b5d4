"""Rows of a table to numbers by fitted columns, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fuseline.data.modalities.tabular.columns import COLUMNS, Column


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


def cells_of(cells: pa.MapArray, name: str) -> pa.Array:
    """One column (N,) of strings, null where a row has no such cell."""
    return pc.map_lookup(cells, pa.scalar(name), "first")
