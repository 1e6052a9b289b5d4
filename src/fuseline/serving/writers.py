"""Tables of answers as files."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.errors import ConfigError


class Writer(ABC):
    """Writes tables of one schema into one file, one after the other."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.schema = path, schema

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def write(self, table: pa.Table) -> None:
        """Add a table."""

    @abstractmethod
    def close(self) -> None:
        """The file is whole."""


class LineWriter(Writer):
    """Texts of tables, one after the other."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path, schema)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(self.heading(schema))

    @staticmethod
    def heading(schema: pa.Schema) -> str:
        """What the file begins with."""
        del schema
        return ""

    @staticmethod
    @abstractmethod
    def text(table: pa.Table) -> str:
        """The lines of a table."""

    def write(self, table: pa.Table) -> None:
        self._file.write(self.text(table))

    def close(self) -> None:
        self._file.close()


class JsonLines(LineWriter):
    """A JSON object a row; probabilities by label as an object."""

    @staticmethod
    def text(table: pa.Table) -> str:
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in as_objects(table))


class Csv(LineWriter):
    """Comma-separated with a header; lists and objects as JSON."""

    @staticmethod
    def heading(schema: pa.Schema) -> str:
        return _csv([schema.names])

    @staticmethod
    def text(table: pa.Table) -> str:
        return _csv([[_cell(value) for value in row.values()] for row in as_objects(table)])


class Parquet(Writer):
    """A row group for each table. Vectors, whose numbers repeat nowhere, stay as they are: a search
    reads them at twice the speed."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path, schema)
        whole = bool(_vectors(schema))
        self._file = pq.ParquetWriter(
            path, schema, compression="none" if whole else "zstd", use_dictionary=not whole
        )

    def write(self, table: pa.Table) -> None:
        self._file.write_table(table)

    def close(self) -> None:
        self._file.close()


WRITERS: dict[str, type[Writer]] = {".csv": Csv, ".jsonl": JsonLines, ".parquet": Parquet}


def refuse_folder(path: Path) -> None:
    """Refuse the name of a folder for a file that would take its place.

    Raises:
        ConfigError: it is one.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: expected the name of a file, found a folder. Name another.")


def writer_of(path: Path) -> type[Writer]:
    """The writer of a file, by the ending of its name.

    Raises:
        ConfigError: there is none, or a folder bears the name.
    """
    refuse_folder(path)
    found = WRITERS.get(path.suffix.lower())
    if found is None:
        raise ConfigError(
            f"{path}: expected a name ending in {', '.join(WRITERS)}. Rename the output."
        )
    return found


def as_objects(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of a table; a map is a mapping, and numbers of vectors have as many digits as they need
    to be told from others in float32."""
    maps = [field.name for field in table.schema if pa.types.is_map(field.type)]
    vectors = _vectors(table.schema)
    rows: list[dict[str, Any]] = table.to_pylist()
    for name in vectors:
        for row in rows:
            row[name] = row[name] and [float(str(np.float32(value))) for value in row[name]]
    for name in maps:
        for row in rows:
            row[name] = row[name] and dict(row[name])
    return rows


def _vectors(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if field.type == pa.list_(pa.float32())]


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
