"""What people did with items, in memory: who, with what, when.

Shapes: E events, N items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fuseline.contracts import INTERACTIONS, iter_shards, read_manifest
from fuseline.errors import ContractError

# Seconds.
DAY = 86400
COLUMNS = ["user", "item", "time", "value"]


@dataclass(frozen=True)
class Interactions:
    """E events in the order of their times; those of one second in the order of the source.

    Attributes:
        users: their names, in the order of their first events in the source.
        user: (E,) int64 numbers of `users`.
        item: (E,) int64 rows of the items.
        time: (E,) int64 seconds since 1970, UTC.
        value: (E,) float32, such as a rating; NaN where none is given.
        dev_from, test_from: the first seconds of the development and of the test events: all later
            ones are of that split.
    """

    users: list[str]
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    value: np.ndarray
    dev_from: int
    test_from: int

    def __len__(self) -> int:
        return len(self.time)

    def between(self, first: int | None = None, end: int | None = None) -> Interactions:
        """Events from the second `first` on, and before the second `end`."""
        start = 0 if first is None else int(np.searchsorted(self.time, first))
        stop = len(self) if end is None else int(np.searchsorted(self.time, end))
        return replace(
            self,
            user=self.user[start:stop],
            item=self.item[start:stop],
            time=self.time[start:stop],
            value=self.value[start:stop],
        )

    def latest(self, count: float) -> Interactions:
        """Of each person the last `count` events, in the same order."""
        by_person = np.lexsort((-np.arange(len(self)), self.user))
        users = self.user[by_person]
        first = np.searchsorted(users, users)
        kept = np.sort(by_person[np.arange(len(self)) - first < count])
        return replace(
            self,
            user=self.user[kept],
            item=self.item[kept],
            time=self.time[kept],
            value=self.value[kept],
        )


def load_interactions(folder: Path, example_ids: Sequence[str]) -> Interactions:
    """Read the interactions with some items.

    Args:
        folder: the interactions table.
        example_ids: of the items, in the order that `item` counts them in.

    Raises:
        ContractError: an item that is not among them: the tables are of different runs.
    """
    manifest = read_manifest(folder, "interactions")
    known = pa.array(example_ids, pa.string())
    parts: list[tuple[np.ndarray, ...]] = []
    numbers: dict[str, int] = {}
    for shard, table in iter_shards(folder, INTERACTIONS, "interactions", COLUMNS):
        item = pc.index_in(table.column("item"), known)
        if item.null_count:
            raise ContractError(
                f"{folder}/{shard}: it names items that are not in the examples table."
                " Run `dvc repro` to make both from the same source."
            )
        parts.append(
            (
                _numbered(table.column("user"), numbers),
                item.to_numpy().astype(np.int64),
                table.column("time").to_numpy(),
                table.column("value").cast(pa.float32()).fill_null(np.nan).to_numpy(),
            )
        )
    nothing = (np.empty(0, np.int64),) * 3 + (np.empty(0, np.float32),)
    user, item, time, value = (np.concatenate(one) for one in zip(nothing, *parts, strict=True))
    order = np.argsort(time, kind="stable")
    return Interactions(
        list(numbers),
        user[order],
        item[order],
        time[order],
        value[order],
        manifest["dev_from"],
        manifest["test_from"],
    )


def _numbered(users: pa.ChunkedArray, numbers: dict[str, int]) -> np.ndarray:
    """(E,) numbers of users, new ones counted on in `numbers`."""
    coded = users.combine_chunks().dictionary_encode()
    table = [numbers.setdefault(name, len(numbers)) for name in coded.dictionary.to_pylist()]
    return np.asarray(np.array(table, dtype=np.int64)[coded.indices.to_numpy()])
