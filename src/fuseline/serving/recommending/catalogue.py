"""The items that may be listed, and what is known of people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fuseline.errors import ContractError
from fuseline.serving.recommending.files import (
    HISTORIES,
    HISTORIES_FILE,
    ITEMS,
    ITEMS_FILE,
    REMEDY,
    read_rows,
)
from fuseline.serving.recommending.filters import Cells


@dataclass(frozen=True)
class History:
    """Events of one person, the oldest first.

    Attributes:
        items: (E,) int64 rows of items.
        times: (E,) int64 seconds since 1970.
    """

    items: np.ndarray
    times: np.ndarray

    @classmethod
    def of(cls, items: Sequence[int], times: Sequence[int]) -> History:
        """Of events in any order; those of one second stay in theirs."""
        rows, seconds = np.array(items, dtype=np.int64), np.array(times, dtype=np.int64)
        order = np.argsort(seconds, kind="stable")
        return cls(rows[order], seconds[order])


class Items:
    """The N items, in the order of their vectors.

    Args:
        folder: of the recommender.
        count: N.

    Raises:
        ContractError: the file is damaged or holds another number.
    """

    def __init__(self, folder: Path, count: int) -> None:
        path = folder / ITEMS_FILE
        self._table = read_rows(path, ITEMS)
        if self._table.num_rows != count:
            raise ContractError(
                f"{path}: expected {count} items, found {self._table.num_rows}. {REMEDY}"
            )
        self.ids: list[str] = self._table.column("example_id").to_pylist()
        self.texts: list[str | None] = self._table.column("text").to_pylist()
        self.row_of = {name: row for row, name in enumerate(self.ids)}
        if len(self.row_of) != count:
            raise ContractError(f"{path}: expected each example_id once. {REMEDY}")

    @cached_property
    def cells(self) -> Cells:
        """Prepared where somebody first asks for a column."""
        rows = self._table.column("tabular").to_pylist(maps_as_pydicts="lossy")
        return Cells([{k: v for k, v in (row or {}).items() if v is not None} for row in rows])

    def thumbnail(self, name: str) -> bytes | None:
        """The small picture (WebP) of an item, if it has one."""
        row = self.row_of.get(name)
        found: bytes | None = None if row is None else self._table["thumbnail"][row].as_py()
        return found

    def matching(self, query: str, count: int) -> list[int]:
        """Rows whose text or id holds a query, whatever its case, those with most events first."""
        texts = self._table.column("text")
        found = pc.fill_null(pc.match_substring(texts, query, ignore_case=True), False)
        found = pc.or_(found, pc.equal(self._table.column("example_id"), query))
        rows = np.flatnonzero(found.to_numpy())
        events = self._table.column("events").to_numpy()[rows]
        return [int(row) for row in rows[np.argsort(-events, kind="stable")][:count]]


class Users:
    """People whose events are known, by id.

    Args:
        folder: of the recommender.
        count: of items.

    Raises:
        ContractError: the file is damaged, or names an item that there is not.
    """

    def __init__(self, folder: Path, count: int) -> None:
        path = folder / HISTORIES_FILE
        self._table = read_rows(path, HISTORIES)
        items, times = (self._lists(name) for name in ("items", "times"))
        rows = items.flatten()
        if len(rows) and not 0 <= pc.min(rows).as_py() <= pc.max(rows).as_py() < count:
            raise ContractError(f"{path}: items: expected rows below {count}. {REMEDY}")
        if not pc.list_value_length(items).equals(pc.list_value_length(times)):
            raise ContractError(f"{path}: expected a time for each item. {REMEDY}")
        self._items, self._times = items, times

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def find(self, user: str) -> History | None:
        """The events of a user; None where nothing is known of them."""
        row = pc.index(self._table.column("user"), pa.scalar(user)).as_py()
        return None if row < 0 else self._history(row)

    def blocks(self, size: int) -> Iterator[list[tuple[str, History]]]:
        """All users in their order, so many at a time."""
        names = self._table.column("user")
        for start in range(0, len(self), size):
            rows = range(start, min(start + size, len(self)))
            yield [(names[row].as_py(), self._history(row)) for row in rows]

    def _history(self, row: int) -> History:
        return History.of(self._items[row].as_py(), self._times[row].as_py())

    def _lists(self, name: str) -> Any:
        return self._table.column(name).combine_chunks()
