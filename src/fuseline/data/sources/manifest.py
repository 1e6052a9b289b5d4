"""People's own data: CSV, JSONL or Parquet files with paths to media beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from fuseline.data.sources.base import LineCounts, RawRow, Source
from fuseline.data.sources.batch_files import batch_files
from fuseline.data.sources.cells import RowBuilder, check_columns, unreadable
from fuseline.data.sources.manifest_files import FOLDER_ENDINGS, MANIFEST_FILES, open_table
from fuseline.data.sources.table_file import BadRecord, TableFile
from fuseline.errors import ContractError
from fuseline.params.ingest import IngestParams, TargetKind

PATH_KEY = "ingest.manifest.path"
COLUMNS_KEY = "ingest.manifest.columns"
# Of a file whose records are counted for the progress bar: about a second.
COUNTED_BYTES = 20_000_000


class ManifestSource(Source):
    """One row per record; each file is a batch, its media paths relative to its own folder."""

    name = "manifest"

    def __init__(self, params: IngestParams) -> None:
        columns, limits = params.manifest.columns, params.limits
        self._builder = RowBuilder(columns, limits, where=COLUMNS_KEY)
        paths = batch_files(
            params.manifest.path, MANIFEST_FILES, where=PATH_KEY, in_folder=FOLDER_ENDINGS
        )
        encoding = params.manifest.encoding
        self._files = [_open(path, self._builder, encoding) for path in paths]

    @property
    def fields(self) -> frozenset[str]:
        return self._builder.fields

    @property
    def targets(self) -> Mapping[str, TargetKind]:
        return self._builder.targets

    @property
    def notes(self) -> list[str]:
        return [note for file in self._files for note in file.notes()]

    @property
    def lines(self) -> LineCounts | None:
        """What became of the lines of all files; None where one has no lines."""
        total = LineCounts()
        for file in self._files:
            if file.lines is None:
                return None
            total.add(file.lines)
        return total

    @property
    def num_rows(self) -> int | None:
        counts = [_num_rows(file) for file in self._files]
        return None if None in counts else sum(count or 0 for count in counts)

    def rows(self) -> Iterator[RawRow]:
        position = 0
        for batch, file in enumerate(self._files):
            root = file.path.parent.resolve()
            for record in file.records():
                if isinstance(record, BadRecord):
                    yield unreadable(
                        record.detail, record.content, source_row=position, batch=batch
                    )
                else:
                    yield self._builder.row(record, source_row=position, batch=batch, root=root)
                position += 1


def _num_rows(file: TableFile) -> int | None:
    """Records of a file, which take a second to count where it is small; None of a larger one that
    does not know, and of one that cannot be read to its end, of which its reading tells."""
    if file.num_rows is not None:
        return file.num_rows
    if file.path.stat().st_size > COUNTED_BYTES:
        return None
    try:
        return sum(1 for _ in file.records())
    except ContractError:
        return None


def _open(path: Path, builder: RowBuilder, encoding: str) -> TableFile:
    file = open_table(path, builder.columns, encoding)
    found = file.found_columns()
    # Why a column may be missing is only asked where one is: it costs a look at the first rows.
    why = "" if set(builder.columns) <= set(found) else file.without_header()
    check_columns(found, builder.mapped, where=COLUMNS_KEY, place=str(path), why=why)
    return file
