"""Writing rows into shards as they come, by their position in the source."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fuseline.contracts import TableWriter, shard_name
from fuseline.errors import ContractError
from fuseline.ingest.validate import Record, raw_json

# A shard and its compressed pages are in memory together.
MAX_SHARD_MEDIA_BYTES = 2**29

# Rows become Arrow tables a few at a time: one large table would be copied as it grows.
CHUNK_ROWS = 32


class ShardedTable:
    """Collects rows in source order; those of one shard are in memory at a time.

    Args:
        writer: the table.
        shard_rows: source rows a shard covers; row `n` always lies in shard `n // shard_rows`.
    """

    def __init__(self, writer: TableWriter, shard_rows: int) -> None:
        self.writer = writer
        self.names: list[str] = []
        self._shard_rows = shard_rows
        self._index = 0
        self._pending: list[Record] = []
        self._chunks: list[pa.Table] = []
        self._media_bytes = 0

    def add(self, record: Record) -> None:
        """Add a row; it must not lie before those that were added.

        Raises:
            ContractError: the shard would hold more media than a table can.
        """
        index = record["source_row"] // self._shard_rows
        if index != self._index:
            self.flush()
            self._index = index
        self._pending.append(record)
        if len(self._pending) == CHUNK_ROWS:
            self._pack()
        self._media_bytes += len((record.get("image") or {}).get("bytes", b""))
        if self._media_bytes > MAX_SHARD_MEDIA_BYTES:
            raise ContractError(
                f"{self.writer.kind}: shard {index} expected at most {MAX_SHARD_MEDIA_BYTES} bytes"
                f" of media, found more within {self._shard_rows} source rows."
                " Lower ingest.shard_rows."
            )

    def flush(self) -> None:
        """Write the rows that are still in memory."""
        self._pack()
        if self._chunks:
            name = shard_name(self._index)
            self.writer.write(name, pa.concat_tables(self._chunks))
            self.names.append(name)
        self._chunks, self._media_bytes = [], 0

    def _pack(self) -> None:
        """Turn the pending rows into an Arrow table."""
        if self._pending:
            self._chunks.append(pa.Table.from_pylist(self._pending, self.writer.schema))
        self._pending = []

    def read(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A shard that was written; empty where there is none."""
        if name not in self.names:
            return self.writer.schema.empty_table()
        return pq.read_table(self.writer.folder / name, columns=columns)

    def replace(self, name: str, table: pa.Table) -> None:
        """Write a shard anew, or take it away where no row is left."""
        if table.num_rows:
            self.writer.write(name, table)
        else:
            self.writer.remove(name)


def move_to_quarantine(
    examples: ShardedTable, quarantine: ShardedTable, rare: dict[str, int]
) -> None:
    """Move the rows of rare labels, shard by shard, once all rows are counted.

    Args:
        rare: number of rows by label.
    """
    for name in examples.names:
        labels = examples.read(name, ["label"]).column("label")
        is_rare = pc.is_in(labels, value_set=pa.array(sorted(rare), pa.string()))
        if not pc.any(is_rare).as_py():
            continue
        table = examples.read(name)
        refused = [_refused(row, rare) for row in table.filter(is_rare).to_pylist()]
        examples.replace(name, table.filter(pc.invert(is_rare)))
        moved = pa.Table.from_pylist(refused, quarantine.writer.schema)
        together = pa.concat_tables([quarantine.read(name), moved]).sort_by("source_row")
        quarantine.replace(name, together)


def _refused(example: dict[str, Any], rare: dict[str, int]) -> Record:
    label = example["label"]
    shown = {name: example[name] for name in ("text", "label", "group", "lang")}
    return {
        "source_row": example["source_row"],
        "example_id": example["example_id"],
        "reason": "rare_label",
        "detail": f"Only {rare[label]} row(s) could be kept with the label {label!r}.",
        "raw": raw_json({**shown, "image": (example["image"] or {}).get("path")}),
    }
