"""Predictions of a revision, out of DVC's cache: nothing is checked out or fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.comparing.evaluated import Evaluated


@dataclass(frozen=True)
class Predictions:
    """Test rows, in the order of their ids: (N,) text each."""

    example_id: np.ndarray
    label: np.ndarray
    prediction: np.ndarray

    def same_rows(self, other: Predictions) -> bool:
        """Whether both are of the same rows with the same labels."""
        return np.array_equal(self.example_id, other.example_id) and np.array_equal(
            self.label, other.label
        )


class Cache:
    """DVC's local cache of a repository."""

    def __init__(self, root: Path) -> None:
        from dvc.repo import Repo

        with Repo(str(root)) as repo:
            self._objects = repo.cache.local

    def read(self, evaluated: Evaluated, model: str) -> Predictions | None:
        """A model's predictions; None where the cache lacks them."""
        digest = evaluated.lock.out(f"data/predictions/{model}")
        if digest is None:
            return None
        try:
            return _table(list(self._shards(digest)))
        except FileNotFoundError:
            return None

    def _shards(self, digest: str) -> Iterator[Path]:
        """Files of a cached folder."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree

        for key, _, found in Tree.load(self._objects, HashInfo("md5", digest)):
            if key[-1].endswith(".parquet"):
                yield Path(self._objects.oid_to_path(found.value))


def _table(shards: list[Path]) -> Predictions:
    columns = ["example_id", "label", "prediction"]
    table = pa.concat_tables([pq.read_table(shard, columns=columns) for shard in shards])
    table = table.sort_by("example_id")
    return Predictions(*(np.array(table[name].to_pylist(), dtype=str) for name in columns))
