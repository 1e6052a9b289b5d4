"""Writing rows into shards as they come, by their position in the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fuseline.contracts import TableWriter, shard_name
from fuseline.data.ingest.candidate import Record
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.validate import raw_json
from fuseline.params.base import MEDIA

# A shard and its compressed pages are in memory together.
MAX_SHARD_MEDIA_BYTES = 2**28

# Shards of one size, before they double: rows added later re-write the last shard at most, which
# so holds a few hundredths of its table.
SHARDS_OF_A_SIZE = 64
FIRST_SHARE = 8
LEAST_SHARD_ROWS = 8

# Rows become Arrow tables a few at a time: one large table would be copied as it grows.
CHUNK_ROWS = 128


class ShardPlan:
    """Which shard a row lies in, by the rows and batches up to it alone.

    Shards start at an eighth of `shard_rows` and double every 64 shards up to it. A new batch
    starts a new shard, and so does a row whose media are too much for the last.

    Args:
        shard_rows: source rows that the largest shards cover.
    """

    def __init__(self, shard_rows: int) -> None:
        self._largest = shard_rows
        self._size = min(shard_rows, max(LEAST_SHARD_ROWS, shard_rows // FIRST_SHARE))
        self._index = self._batch = self._rows = self._bytes = 0

    def place(self, batch: int, media_bytes: int) -> int:
        """Shard of the next row of the source.

        Args:
            batch: of the row.
            media_bytes: that it brings into a table.
        """
        is_full = self._rows == self._size or self._bytes + media_bytes > MAX_SHARD_MEDIA_BYTES
        if self._rows and (is_full or batch != self._batch):
            self._index += 1
            self._rows = self._bytes = 0
            if self._index % SHARDS_OF_A_SIZE == 0:
                self._size = min(self._largest, 2 * self._size)
        self._batch = batch
        self._rows += 1
        self._bytes += media_bytes
        return self._index


def media_bytes(record: Record) -> int:
    """Bytes of all media that a row holds."""
    media = [*(record.get(medium) for medium in MEDIA), *record.get("more_images", ())]
    return sum(len(medium["bytes"]) for medium in media if medium)


class ShardedTable:
    """Collects rows in source order; those of one shard are in memory at a time.

    Args:
        writer: the table.
    """

    def __init__(self, writer: TableWriter) -> None:
        self.writer = writer
        self.names: list[str] = []
        self._index = 0
        self._pending: list[Record] = []
        self._chunks: list[pa.Table] = []

    def add(self, record: Record, shard: int) -> None:
        """Add a row; its shard must not lie before those that were added."""
        assert shard >= self._index, "rows come in the order of their shards"
        if shard != self._index:
            self.flush()
            self._index = shard
        self._pending.append(record)
        if len(self._pending) == CHUNK_ROWS:
            self._pack()

    def flush(self) -> None:
        """Write the rows that are still in memory."""
        self._pack()
        if self._chunks:
            name = shard_name(self._index)
            self.writer.write(name, pa.concat_tables(self._chunks))
            self.names.append(name)
        self._chunks = []

    def _pack(self) -> None:
        """Turn the pending rows into an Arrow table."""
        if self._pending:
            # A quarter of the time of `Table.from_pylist`.
            columns = [
                pa.array([row[field.name] for row in self._pending], field.type)
                for field in self.writer.schema
            ]
            self._chunks.append(pa.Table.from_arrays(columns, schema=self.writer.schema))
        self._pending = []

    def read(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A shard that was written; empty where there is none."""
        if name not in self.names:
            return self.writer.schema.empty_table()
        return pq.read_table(self.writer.folder / name, columns=columns)

    def replace(self, name: str, table: pa.Table) -> None:
        """Write a shard, anew if it is there, or take it away where no row is left."""
        if table.num_rows:
            self.writer.write(name, table)
            self.names = sorted({*self.names, name})
        else:
            self.writer.remove(name)
            self.names.remove(name)


def move_to_quarantine(
    examples: ShardedTable, quarantine: ShardedTable, refusals: Mapping[str, Refusal]
) -> Iterator[Record]:
    """Move all rows of some labels, shard by shard, once all rows are counted.

    Args:
        refusals: by label, why its rows cannot be kept.

    Yields:
        Each row that was moved, as it stood among the examples.
    """
    for name in list(examples.names):
        labels = examples.read(name, ["label"]).column("label")
        is_refused = pc.is_in(labels, value_set=pa.array(sorted(refusals), pa.string()))
        if not pc.any(is_refused).as_py():
            continue
        table = examples.read(name)
        rows = table.filter(is_refused).to_pylist()
        examples.replace(name, table.filter(pc.invert(is_refused)))
        refused = [_refused(row, refusals[row["label"]]) for row in rows]
        moved = pa.Table.from_pylist(refused, quarantine.writer.schema)
        together = pa.concat_tables([quarantine.read(name), moved]).sort_by("source_row")
        quarantine.replace(name, together)
        yield from rows


def _refused(example: dict[str, Any], refusal: Refusal) -> Record:
    # Not the group: it is not the user's any more.
    names = ("text", "label", "lang", "license", "provenance")
    shown = {name: example[name] for name in names}
    paths = {name: (example[name] or {}).get("path") for name in MEDIA}
    if further := example.get("more_images"):
        paths["more_images"] = ", ".join(picture["path"] or "" for picture in further)
    cells = dict(example["tabular"] or ()) | dict(example["targets"] or ())
    return {
        "source_row": example["source_row"],
        "example_id": example["example_id"],
        "reason": refusal.reason,
        "detail": refusal.detail,
        "raw": raw_json({**shown, **paths, **cells}),
    }
