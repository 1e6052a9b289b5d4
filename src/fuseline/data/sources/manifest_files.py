"""Which class reads a table, by the ending of its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuseline.data.sources.csv_file import CsvFile, TsvFile
from fuseline.data.sources.json_file import JsonFile, JsonlFile
from fuseline.data.sources.parquet_file import ParquetFile
from fuseline.data.sources.placed_file import BarFile, DoubleColonFile, TabFile
from fuseline.data.sources.table_file import TableFile
from fuseline.data.sources.text_files import GZIP_ENDING

MANIFEST_FILES: dict[str, type[TableFile]] = {
    ".csv": CsvFile,
    ".tsv": TsvFile,
    ".jsonl": JsonlFile,
    ".json": JsonFile,
    ".parquet": ParquetFile,
    ".csv.gz": CsvFile,
    ".tsv.gz": TsvFile,
    ".jsonl.gz": JsonlFile,
    ".json.gz": JsonFile,
    ".dat": DoubleColonFile,
    ".data": TabFile,
    ".item": BarFile,
}

# In a folder of rows and media, a JSON file is more likely about the set than part of it, and a
# file of columns without names anything at all; one that is named, or that a pattern matches, is
# read.
_BY_NAME = (".json", ".json.gz", ".dat", ".data", ".item")
FOLDER_ENDINGS = tuple(ending for ending in MANIFEST_FILES if ending not in _BY_NAME)


def table_ending(path: Path) -> str:
    """The ending of a file's name, in lower case, with what stands before `.gz`."""
    endings = [ending.lower() for ending in path.suffixes]
    return "".join(endings[-2:] if endings[-1:] == [GZIP_ENDING] else endings[-1:])


def open_table(path: Path, columns: Sequence[str], encoding: str = "utf-8") -> TableFile:
    """The reader of a file with a known ending."""
    return MANIFEST_FILES[table_ending(path)](path, columns, encoding)
