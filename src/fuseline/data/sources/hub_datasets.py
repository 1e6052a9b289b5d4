"""Data sets of the Hugging Face library `datasets`: a local folder, or a hub id with a revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fuseline.data.sources.base import RawRow, Source
from fuseline.data.sources.cells import RowBuilder, check_columns, unreadable
from fuseline.data.sources.hub_split import SECTION, open_split
from fuseline.data.sources.table_file import BadRecord
from fuseline.params.ingest import IngestParams, TargetKind

COLUMNS_KEY = f"{SECTION}.columns"


class DatasetsSource(Source):
    """One row per example of a split, streamed: nothing is copied into the library's cache.

    Media are taken as `{bytes, path}`, undecoded; a path without bytes must be of a file in the
    folder. A class label is its name.
    """

    name = "datasets"

    def __init__(self, params: IngestParams) -> None:
        columns, place = params.datasets.columns, str(params.datasets.path)
        self._builder = RowBuilder(columns, params.limits, where=COLUMNS_KEY)
        self._data = open_split(params.datasets)
        check_columns(self._data.columns(), self._builder.mapped, where=COLUMNS_KEY, place=place)

    @property
    def fields(self) -> frozenset[str]:
        return self._builder.fields

    @property
    def targets(self) -> Mapping[str, TargetKind]:
        return self._builder.targets

    @property
    def num_rows(self) -> int | None:
        return self._data.num_rows

    def rows(self) -> Iterator[RawRow]:
        for position, record in enumerate(self._data.records(self._builder.columns)):
            if isinstance(record, BadRecord):
                yield unreadable(record.detail, record.content, source_row=position, batch=0)
            else:
                yield self._builder.row(record, source_row=position, root=self._data.root)
