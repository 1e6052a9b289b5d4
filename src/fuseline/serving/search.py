"""The rows of an index that lie nearest to a query: of a text, a picture, or both.

Shapes: Q queries, N rows of a block, M vectors of a row, S width, K found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.errors import ConfigError
from fuseline.evaluation.trust.scope import unit
from fuseline.registry import suggestion
from fuseline.serving.answers.base import DIGITS
from fuseline.serving.contract import VECTOR, ExportContract
from fuseline.serving.predictor import WEIGHTS

# Rows of an index that are compared at once.
BLOCK_ROWS = 8192
FOUND = pa.schema(
    [
        pa.field("query", pa.int64(), nullable=False),
        pa.field("query_id", pa.string()),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("score", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Space:
    """Where a model's vectors lie.

    Attributes:
        columns: M columns of its answers by modality: those of its task of retrieval, of a model
            without one the fused vector alone.
        by: which of them a query is compared with; of several modalities those that the query
            lacks, or all where it lacks none, if it is empty.
    """

    columns: Mapping[str, str]
    by: Sequence[str] = ()

    @classmethod
    def of(cls, contract: ExportContract, by: Sequence[str]) -> Space:
        """That of an export.

        Raises:
            ConfigError: it has no vectors of a modality by itself.
        """
        columns = {VECTOR: VECTOR}
        for number, task in enumerate(contract.tasks):
            if task.kind == "retrieval":
                prefix = contract.prefix(number)
                columns = {name: f"{prefix}{name}_vector" for name in task.facts["modalities"]}
        for name in by:
            if name not in columns:
                raise ConfigError(
                    f"--by: expected one of {', '.join(columns)}; found '{name}'."
                    f"{suggestion(name, list(columns))} A model has vectors of each modality where"
                    " finetune.tasks name retrieval."
                )
        return cls(columns, by)

    def compared(self, there: np.ndarray) -> np.ndarray:
        """(M, Q) bool: which vectors of rows each query is compared with, of those (M, Q) that it
        has itself; a query without any with none."""
        if self.by:
            chosen = np.array([[name in self.by] for name in self.columns])
        else:
            chosen = np.where(there.all(0), there, ~there)
        return np.asarray(chosen & there.any(0))


@dataclass(frozen=True)
class Vectors:
    """A column of them.

    Attributes:
        values: (N, S) float32, zeros where a row has none; of no width where no row has one.
        there: (N,) bool.
    """

    values: np.ndarray
    there: np.ndarray

    @classmethod
    def read(cls, column: pa.Array) -> Vectors:
        """Of a column of lists."""
        there = column.is_valid().to_numpy(zero_copy_only=False)
        own = column.flatten().to_numpy(zero_copy_only=False)
        own = own.reshape(there.sum(), -1) if there.any() else np.zeros((0, 0), np.float32)
        if there.all():
            return cls(own, there)
        values = np.zeros((len(there), own.shape[1]), dtype=np.float32)
        values[there] = own
        return cls(values, there)

    def cosines(self, queries: np.ndarray) -> np.ndarray:
        """(Q, N) with unit queries (Q, S)."""
        lengths = np.sqrt(np.einsum("ns,ns->n", self.values, self.values))
        products = queries @ self.values.T
        return np.asarray(products / np.maximum(lengths, np.finfo(np.float32).tiny))


class Index:
    """Vectors of rows, as `fuseline predict --vectors` wrote them; read block by block.

    Args:
        path: of the Parquet file.
        contract: of the export that queries are made with.
        space: of its vectors.

    Raises:
        ConfigError: the file is no such index, or of another model.
    """

    def __init__(self, path: Path, contract: ExportContract, space: Space) -> None:
        self.path, self.space = path, space
        make = f"Make it with `fuseline predict ROWS --vectors -o {path.with_suffix('.parquet')}`."
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
        except FileNotFoundError:
            raise ConfigError(f"{path}: not found. {make}") from None
        except (OSError, pa.ArrowInvalid) as error:
            raise ConfigError(f"{path}: not readable as Parquet ({error}). {make}") from None
        schema = self._file.schema_arrow
        missing = [name for name in space.columns.values() if name not in schema.names]
        if missing:
            raise ConfigError(
                f"{path}: expected a column '{missing[0]}', found {', '.join(schema.names)}. {make}"
            )
        if (schema.metadata or {}).get(WEIGHTS) != contract.origin.weights.encode():
            raise ConfigError(
                f"{path}: expected vectors of the model that is asked, found those of another."
                f" {make}"
            )

    def search(self, queries: pa.Table, count: int) -> pa.Table:
        """The nearest rows of each query, nearest first. The score is the mean cosine of the query,
        which is the mean of its unit vectors, with the vectors that it is compared with; rows
        without any of them are not found.

        Args:
            queries: answers to Q rows.
            count: K.

        Returns:
            A table of the schema `FOUND`.
        """
        columns = list(self.space.columns.values())
        vectors = [Vectors.read(queries.column(name).combine_chunks()) for name in columns]
        there = np.stack([one.there for one in vectors])
        if not there.any():
            return FOUND.empty_table()
        mean = unit(np.sum([unit(one.values) for one in vectors if one.there.any()], axis=0))
        compared = dict(zip(columns, self.space.compared(there), strict=True))
        asked = {name: chosen for name, chosen in compared.items() if chosen.any()}
        best = _Best(len(mean), count)
        for batch in self._blocks(list(asked)):
            found = {name: Vectors.read(batch.column(name)) for name in asked}
            best = best.joined(batch, _scores(mean, asked, found))
        return best.table(queries)

    def _blocks(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        names = ["row", "id", *columns]
        yield from self._file.iter_batches(batch_size=BLOCK_ROWS, columns=names)


def _scores(
    queries: np.ndarray, asked: Mapping[str, np.ndarray], rows: Mapping[str, Vectors]
) -> np.ndarray:
    """(Q, N) mean of the cosines that count, minus infinity where none does; `asked` (Q,) by
    column says for which queries one does."""
    counts = {name: chosen[:, None] & rows[name].there for name, chosen in asked.items()}
    terms = np.sum(list(counts.values()), axis=0)
    total = np.zeros(terms.shape, dtype=np.float32)
    for name, counted in counts.items():
        if counted.any():
            total += np.where(counted, rows[name].cosines(queries), 0.0)
    return np.where(terms > 0, total / np.maximum(terms, 1), -np.inf).astype(np.float32)


class _Best:
    """The K rows of each query that are nearest so far: scores (Q, K), numbers and ids."""

    def __init__(self, queries: int, count: int) -> None:
        self.count = count
        self.scores = np.zeros((queries, 0), dtype=np.float32)
        self.rows = np.zeros((queries, 0), dtype=np.int64)
        self.ids = np.zeros((queries, 0), dtype=object)

    def joined(self, batch: pa.RecordBatch, scores: np.ndarray) -> _Best:
        """With the rows of a block, whose scores are (Q, N)."""
        kept = min(self.count, scores.shape[1])
        places = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
        # Rows before others, since of equal ones the first is kept.
        places.sort(axis=1)
        rows = batch.column("row").to_numpy(zero_copy_only=False)
        ids = batch.column("id").to_numpy(zero_copy_only=False)
        both: list[tuple[np.ndarray, np.ndarray]] = [
            (self.scores, np.take_along_axis(scores, places, axis=1)),
            (self.rows, rows[places]),
            (self.ids, ids[places]),
        ]
        whole = [np.concatenate(pair, axis=1) for pair in both]
        order = np.argsort(-whole[0], axis=1, kind="stable")[:, : self.count]
        best = _Best(len(scores), self.count)
        best.scores, best.rows, best.ids = (
            np.take_along_axis(values, order, axis=1) for values in whole
        )
        return best

    def table(self, queries: pa.Table) -> pa.Table:
        """As rows, those of one query together."""
        numbers, names = (queries.column(name).to_pylist() for name in ("row", "id"))
        found = [
            (numbers[query], names[query], rank + 1, int(row), one, round(float(score), DIGITS))
            for query in range(len(numbers))
            for rank, (row, one, score) in enumerate(
                zip(self.rows[query], self.ids[query], self.scores[query], strict=True)
            )
            if np.isfinite(score)
        ]
        columns = zip(*found, strict=True) if found else [[] for _ in FOUND]
        return pa.table([list(column) for column in columns], schema=FOUND)
