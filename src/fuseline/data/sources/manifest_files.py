"""Record by record through a CSV, JSONL or Parquet file.

A record that cannot be read is yielded as a `BadRecord`, so that one bad line never ends a run.
Scalars are text as the file spells them ("NA" and "None" are text); an empty cell is None.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.data.sources.cells import Record, as_cell, is_broken, one_line
from fuseline.errors import ConfigError, ContractError

# Some rows may hold whole pictures, so few of them are in memory at a time; of plain cells, more.
PARQUET_MEDIA_ROWS = 32
PARQUET_PLAIN_ROWS = 2048
# What they may weigh together, by the mean of their row group; one row at least is read.
PARQUET_BATCH_BYTES = 2**26

# Rows that are told of one by one where a part of a Parquet file is damaged, whatever number of
# rows its footer claims.
LOST_ROWS = 1_000_000

# What people write between cells instead of commas.
_SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}
_SHOWN_CHARACTERS = 60

# The longest cell of a CSV file. A quote left open swallows what follows up to this length.
CSV_FIELD_CHARACTERS = 4_000_000

# The longest line of a JSONL file; one without an end would fill the memory.
JSONL_LINE_BYTES = 16_000_000


@dataclass(frozen=True)
class BadRecord:
    """A record that cannot be read: why, and how it begins."""

    detail: str
    content: str


# What to say of a file that holds nothing.
_EMPTY = "{}: expected a table, found an empty file. Fill it."
_NOT_UTF8 = "not valid UTF-8"


class ManifestFile(ABC):
    """A table in a file.

    Args:
        path: the file.
        columns: names of the columns that are wanted; records hold no others.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.columns = columns

    num_rows: int | None = None

    @abstractmethod
    def found_columns(self) -> list[str]:
        """Names of the columns that the file has.

        Raises:
            ConfigError: its cells are separated by something else than it should be.
            ContractError: the file is empty, or unreadable as a whole.
        """

    @abstractmethod
    def records(self) -> Iterator[Record | BadRecord]:
        """Yield every record in the file's order."""

    def first_columns(self, rows: int) -> list[str]:
        """Names of the columns that the first rows have."""
        del rows
        return self.found_columns()


class CsvFile(ManifestFile):
    """Comma-separated values in UTF-8, with a header; blank lines do not count as records."""

    def found_columns(self) -> list[str]:
        _refuse_utf16(self.path)
        with self._open() as file:
            try:
                header = next(csv.reader(file, strict=True), [])
            except csv.Error as error:
                raise ContractError(f"{self.path}: the header is not readable: {error}.") from None
            blank = len(header) < 2 and not "".join(header).strip()
            if blank and any(line.strip() for line in file):
                raise ContractError(
                    f"{self.path}: expected a header in line 1, found a blank line. Remove it."
                )
        if blank:
            raise ContractError(_EMPTY.format(self.path))
        if any(is_broken(name) for name in header):
            raise ContractError(
                f"{self.path}: expected UTF-8, found another encoding in the header."
                " Save the file as UTF-8."
            )
        _refuse_other_separator(self.path, header)
        return header

    def records(self) -> Iterator[Record | BadRecord]:
        with self._open() as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            wanted = [(name, header.index(name)) for name in self.columns]
            while True:
                first = lines.line_num + 1
                try:
                    cells = next(lines)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield BadRecord(_csv_detail(first, lines.line_num, error), "")
                    continue
                if not cells:
                    continue
                content = ",".join(cells)
                if len(cells) != len(header):
                    yield BadRecord(
                        f"line {lines.line_num}: expected {len(header)} cells, found {len(cells)}.",
                        content,
                    )
                elif is_broken(content):
                    yield BadRecord(f"line {lines.line_num}: {_NOT_UTF8}.", content)
                else:
                    yield {name: cells[place] or None for name, place in wanted}

    def _open(self) -> Any:
        csv.field_size_limit(CSV_FIELD_CHARACTERS)
        # Broken bytes become lone surrogates, so that only their own row is refused.
        return self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


class JsonlFile(ManifestFile):
    """One JSON object a line, in UTF-8; blank lines do not count as records."""

    def found_columns(self) -> list[str]:
        """Keys of the objects, read until all wanted ones were seen: a sparse key may come late."""
        found: dict[str, None] = {}
        for record in self._told_objects():
            found.update(dict.fromkeys(record))
            if all(name in found for name in self.columns):
                break
        return list(found)

    def records(self) -> Iterator[Record | BadRecord]:
        for record in self._objects():
            if isinstance(record, BadRecord):
                yield record
            else:
                yield {name: as_cell(record.get(name)) for name in self.columns}

    def first_columns(self, rows: int) -> list[str]:
        found: dict[str, None] = {}
        for record in itertools.islice(self._told_objects(), rows):
            found.update(dict.fromkeys(record))
        return list(found)

    def _told_objects(self) -> Iterator[Record]:
        """The objects alone; where there are none, an error that says why."""
        _refuse_utf16(self.path)
        first_bad, good = None, False
        for record in self._objects():
            if not isinstance(record, BadRecord):
                good = True
                yield record
            elif first_bad is None:
                first_bad = record
        if good:
            return
        if first_bad is None:
            raise ContractError(_EMPTY.format(self.path))
        raise ContractError(
            f"{self.path}: expected JSON objects, found none: {with_advice(first_bad.detail)}"
        )

    def _objects(self) -> Iterator[Record | BadRecord]:
        with self.path.open("rb") as file:
            for number, line in enumerate(
                iter(lambda: file.readline(JSONL_LINE_BYTES + 1), b""), 1
            ):
                content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if len(line) > JSONL_LINE_BYTES:
                    _skip_line(file, line)
                    yield _bad_line(line, number, f"longer than {JSONL_LINE_BYTES} bytes")
                elif content.strip():
                    yield _json_object(content, number)


class ParquetFile(ManifestFile):
    """Parquet; media cells may hold paths, bytes, or `{bytes, path}` structs."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        super().__init__(path, columns)
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
            most = PARQUET_PLAIN_ROWS if plain else PARQUET_MEDIA_ROWS
            for group in range(file.num_row_groups):
                facts = file.metadata.row_group(group)
                fitting = PARQUET_BATCH_BYTES * facts.num_rows // max(1, facts.total_byte_size)
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


def _skip_line(file: BinaryIO, begun: bytes) -> None:
    """Read on to the end of a line, keeping nothing."""
    part = begun
    while part and not part.endswith(b"\n"):
        part = file.readline(JSONL_LINE_BYTES)


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


MANIFEST_FILES: dict[str, type[ManifestFile]] = {
    ".csv": CsvFile,
    ".jsonl": JsonlFile,
    ".parquet": ParquetFile,
}


def with_advice(detail: str) -> str:
    """A bad record's detail, and what to do where it is of another encoding."""
    return f"{detail} Save the file as UTF-8." if detail.endswith(f"{_NOT_UTF8}.") else detail


def _refuse_utf16(path: Path) -> None:
    """Refuse a text that begins as UTF-16 does, with its mark or with every other byte a zero."""
    with path.open("rb") as file:
        start = file.read(4)
    pairs = {start[0:4:2], start[1:4:2]}
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0\0" in pairs:
        raise ContractError(f"{path}: expected UTF-8, found UTF-16. Save the file as UTF-8.")


def _refuse_other_separator(path: Path, header: Sequence[str]) -> None:
    """Refuse a header of one name that is several, and Excel's line that names the separator."""
    if header == ["sep=", ""]:
        raise ConfigError(
            f"{path}: expected a header, found 'sep=,', which only Excel reads, in line 1."
            " Remove that line."
        )
    for separator, shown in _SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            raise ConfigError(
                f"{path}: expected cells separated by commas, found one column"
                f" {header[0][:_SHOWN_CHARACTERS]!r}; it looks separated by {shown}: save it with"
                " commas."
            )


def _csv_detail(first: int, last: int, error: csv.Error) -> str:
    lines = f"line {first}" if first >= last else f"lines {first} to {last}"
    return f"{lines}: {error}. Is a quote left open?"


def _json_object(line: bytes, number: int) -> Record | BadRecord:
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        return _bad_line(line, number, _NOT_UTF8)
    except (ValueError, RecursionError) as error:
        return _bad_line(line, number, f"not readable as JSON: {error}")
    if not isinstance(value, dict):
        return _bad_line(line, number, "expected a JSON object")
    # Half a character can only come of an escape, since the line itself is UTF-8.
    if b"\\u" in line and is_broken(json.dumps(value, ensure_ascii=False)):
        return _bad_line(line, number, "a text holds half a character")
    return value


def _bad_line(line: bytes, number: int, detail: str) -> BadRecord:
    return BadRecord(f"line {number}: {detail}.", line.decode("utf-8", errors="replace"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
