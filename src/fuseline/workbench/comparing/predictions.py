"""Predictions of a revision, out of DVC's cache: nothing is checked out or fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.errors import ContractError
from fuseline.pipeline.lock_file import hash_of
from fuseline.workbench.comparing.evaluated import Evaluated

COLUMNS = ["example_id", "label", "prediction"]


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
        """A model's predictions; None where the cache lacks them.

        Raises:
            ContractError: what the cache holds is damaged.
        """
        digest = hash_of(evaluated.lock, f"data/predictions/{model}")
        if digest is None:
            return None
        try:
            return _table([_shard(path) for path in self._shards(digest)])
        except FileNotFoundError:
            return None

    def _shards(self, digest: str) -> Iterator[Path]:
        """Files of a cached folder."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree
        from dvc_objects.errors import ObjectFormatError

        try:
            listing = Tree.load(self._objects, HashInfo("md5", digest))
        except (ObjectFormatError, KeyError, TypeError) as error:
            raise _damaged(self._objects.oid_to_path(digest), error) from None
        for key, _, found in listing:
            if key[-1].endswith(".parquet"):
                yield Path(self._objects.oid_to_path(found.value))


def _shard(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, columns=COLUMNS)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise _damaged(str(path), error) from None


def _damaged(path: str, error: Exception) -> ContractError:
    return ContractError(
        f"{path}: a damaged file in DVC's cache: {error}. Remove it, then bring it back by `dvc"
        " pull` or `dvc repro`."
    )


def _table(shards: list[pa.Table]) -> Predictions:
    table = pa.concat_tables(shards).sort_by("example_id")
    return Predictions(*(np.array(table[name].to_pylist(), dtype=str) for name in COLUMNS))
