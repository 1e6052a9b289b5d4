"""Record by record through a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.data.sources.cells import Record, as_cell, one_line
from fuseline.data.sources.table_file import LOST_ROWS, BadRecord, TableFile
from fuseline.errors import ContractError

# Some rows may hold whole pictures, so few of them are in memory at a time; of plain cells, more.
MEDIA_ROWS = 32
PLAIN_ROWS = 2048
# What they may weigh together, by the mean of their row group; one row at least is read.
BATCH_BYTES = 2**26


class ParquetFile(TableFile):
    """Parquet; media cells may hold paths, bytes, or `{bytes, path}` structs."""

    def __init__(self, path: Path, columns: Sequence[str], encoding: str = "utf-8") -> None:
        super().__init__(path, columns, encoding)
        try:
            with pq.ParquetFile(path) as file:
                self._names: list[str] = file.schema_arrow.names
                self.num_rows = file.metadata.num_rows
        except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
            raise ContractError(
                f"{path}: not readable as Parquet: {one_line(error)}. Write the file again."
            ) from None

    def found_columns(self) -> list[str]:
        return self._names

    def records(self) -> Iterator[Record | BadRecord]:
        """Yield every record; where a row group is damaged, one `BadRecord` for each row lost."""
        with pq.ParquetFile(self.path) as file:
            kinds = [file.schema_arrow.field(name).type for name in self.columns]
            plain = not any(pa.types.is_nested(kind) or _is_binary(kind) for kind in kinds)
            most = PLAIN_ROWS if plain else MEDIA_ROWS
            for group in range(file.num_row_groups):
                facts = file.metadata.row_group(group)
                fitting = BATCH_BYTES * facts.num_rows // max(1, facts.total_byte_size)
                yield from self._group(file, group, max(1, min(most, fitting)))

    def _group(self, file: pq.ParquetFile, group: int, size: int) -> Iterator[Record | BadRecord]:
        done = 0
        try:
            for batch in file.iter_batches(size, row_groups=[group], columns=list(self.columns)):
                for record in batch_records(batch, self.columns):
                    yield record
                    done += 1
        except (OSError, pa.ArrowException) as error:
            lost = min(file.metadata.row_group(group).num_rows - done, LOST_ROWS)
            for _ in range(max(1, lost)):
                yield BadRecord(f"row group {group} is damaged: {one_line(error)}.", "")


def batch_records(
    batch: pa.RecordBatch | pa.Table, columns: Sequence[str]
) -> Iterator[Record | BadRecord]:
    """The rows of a batch; cells that Python cannot hold make their row a `BadRecord`."""
    try:
        cells = [[as_cell(cell) for cell in batch.column(name).to_pylist()] for name in columns]
    except (ValueError, OverflowError):
        for row in range(batch.num_rows):
            yield _slow_record(batch, columns, row)
    else:
        for values in zip(*cells, strict=True):
            yield dict(zip(columns, values, strict=True))


def _slow_record(
    batch: pa.RecordBatch | pa.Table, columns: Sequence[str], row: int
) -> Record | BadRecord:
    values: dict[str, Any] = {}
    for name in columns:
        try:
            values[name] = as_cell(batch.column(name)[row].as_py())
        except UnicodeDecodeError:
            return BadRecord(f"column {name!r}: not valid UTF-8.", "")
        except (ValueError, OverflowError) as error:
            return BadRecord(f"column {name!r}: {one_line(error)}.", "")
    return values


def _is_binary(kind: pa.DataType) -> bool:
    return any(
        check(kind)
        for check in (
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_fixed_size_binary,
            pa.types.is_binary_view,
        )
    )
