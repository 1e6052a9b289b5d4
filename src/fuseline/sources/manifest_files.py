"""Record by record through a CSV, JSONL or Parquet file.

A record that cannot be read is yielded as a `BadRecord`, so that one bad line never ends a run.
Scalars are text as the file spells them ("NA" and "None" are text); an empty cell is None.
"""

from __future__ import annotations

import csv
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.errors import ContractError

# Some rows may hold whole pictures, so few of them are in memory at a time.
PARQUET_BATCH_ROWS = 32

# The longest cell of a CSV file. A quote left open swallows what follows up to this length.
CSV_FIELD_CHARACTERS = 4_000_000

Record = Mapping[str, Any]


@dataclass(frozen=True)
class BadRecord:
    """A record that cannot be read: why, and how it begins."""

    detail: str
    content: str


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
            ContractError: the file as a whole is unreadable.
        """

    @abstractmethod
    def records(self) -> Iterator[Record | BadRecord]:
        """Yield every record in the file's order."""


class CsvFile(ManifestFile):
    """Comma-separated values in UTF-8, with a header; blank lines do not count as records."""

    def found_columns(self) -> list[str]:
        with self._open() as file:
            try:
                header = next(csv.reader(file, strict=True), [])
            except csv.Error as error:
                raise ContractError(f"{self.path}: the header is not readable: {error}.") from None
        if any(_broken(name) for name in header):
            raise ContractError(
                f"{self.path}: expected UTF-8, found another encoding in the header."
                " Save the file as UTF-8."
            )
        return header

    def records(self) -> Iterator[Record | BadRecord]:
        with self._open() as file:
            lines = csv.reader(file, strict=True)
            header = next(lines)
            while True:
                first = lines.line_num + 1
                try:
                    cells = next(lines)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield BadRecord(_csv_detail(first, lines.line_num, error), "")
                    continue
                if cells:
                    yield self._record(header, cells, lines.line_num)

    def _record(self, header: list[str], cells: list[str], line: int) -> Record | BadRecord:
        content = ",".join(cells)
        if len(cells) != len(header):
            return BadRecord(
                f"line {line}: expected {len(header)} cells, found {len(cells)}.", content
            )
        if _broken(content):
            return BadRecord(f"line {line}: not valid UTF-8.", content)
        values = dict(zip(header, cells, strict=True))
        return {name: values[name] or None for name in self.columns}

    def _open(self) -> Any:
        csv.field_size_limit(CSV_FIELD_CHARACTERS)
        # Broken bytes become lone surrogates, so that only their own row is refused.
        return self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


class JsonlFile(ManifestFile):
    """One JSON object a line, in UTF-8; blank lines do not count as records."""

    def found_columns(self) -> list[str]:
        """Keys of the objects, read until all wanted ones were seen: a sparse key may come late."""
        found: dict[str, None] = {}
        for record in self._objects():
            if not isinstance(record, BadRecord):
                found.update(dict.fromkeys(record))
            if all(name in found for name in self.columns):
                break
        return list(found)

    def records(self) -> Iterator[Record | BadRecord]:
        for record in self._objects():
            if isinstance(record, BadRecord):
                yield record
            else:
                yield {name: _as_cell(record.get(name)) for name in self.columns}

    def _objects(self) -> Iterator[Record | BadRecord]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if content.strip():
                    yield _json_object(content, number)


class ParquetFile(ManifestFile):
    """Parquet; media cells may hold paths, bytes, or `{bytes, path}` structs."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        super().__init__(path, columns)
        try:
            with pq.ParquetFile(path) as file:
                self._names: list[str] = file.schema_arrow.names
                self.num_rows = file.metadata.num_rows
        except (OSError, pa.ArrowException) as error:
            raise ContractError(
                f"{path}: not readable as Parquet: {error}. Write the file again."
            ) from None

    def found_columns(self) -> list[str]:
        return self._names

    def records(self) -> Iterator[Record | BadRecord]:
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=list(self.columns)):
                    for row in range(batch.num_rows):
                        yield self._record(batch, row)
        except (OSError, pa.ArrowException) as error:
            raise ContractError(f"{self.path}: damaged: {error}. Write the file again.") from None

    def _record(self, batch: pa.RecordBatch, row: int) -> Record | BadRecord:
        values: dict[str, Any] = {}
        for name in self.columns:
            try:
                values[name] = _as_cell(batch.column(name)[row].as_py())
            except UnicodeDecodeError:
                return BadRecord(f"column {name!r}: not valid UTF-8.", "")
        return values


MANIFEST_FILES: dict[str, type[ManifestFile]] = {
    ".csv": CsvFile,
    ".jsonl": JsonlFile,
    ".parquet": ParquetFile,
}


def _broken(text: str) -> bool:
    """Whether the text holds lone surrogates, which no UTF-8 can spell."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _csv_detail(first: int, last: int, error: csv.Error) -> str:
    lines = f"line {first}" if first >= last else f"lines {first} to {last}"
    return f"{lines}: {error}. Is a quote left open?"


def _json_object(line: bytes, number: int) -> Record | BadRecord:
    content = line.decode("utf-8", errors="replace")
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        return BadRecord(f"line {number}: not valid UTF-8.", content)
    except (ValueError, RecursionError) as error:
        return BadRecord(f"line {number}: not readable as JSON: {error}.", content)
    if not isinstance(value, dict):
        return BadRecord(f"line {number}: expected a JSON object.", content)
    if _broken(json.dumps(value, ensure_ascii=False)):
        return BadRecord(f"line {number}: a text holds half a character.", content)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _as_cell(value: Any) -> Any:
    """A scalar as text, spelt as in the file; an empty text and a number that is none as None.

    Lists, objects and bytes stay as they are, for the source to judge.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (str, list, dict, bytes)):
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else str(value)
