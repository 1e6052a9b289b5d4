"""Tar shards in the WebDataset layout: members that share a name are one row."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from fuseline.data.sources.base import Problem, RawRow, Source
from fuseline.data.sources.batch_files import batch_files
from fuseline.data.sources.cells import RowBuilder, is_broken, one_line
from fuseline.data.sources.tar_shards import Sample, samples
from fuseline.data.sources.webdataset_members import COLUMNS_KEY, KEY, Members
from fuseline.errors import ContractError
from fuseline.params.ingest import IngestParams, TargetKind

PATH_KEY = "ingest.webdataset.path"


class WebDatasetSource(Source):
    """One row per sample; each shard is a batch. Members over the limits are not read."""

    name = "webdataset"

    def __init__(self, params: IngestParams) -> None:
        self._limits = params.limits
        self._builder = RowBuilder(params.webdataset.columns, params.limits, where=COLUMNS_KEY)
        self._members = Members(self._builder.mapped)
        self._shards = batch_files(params.webdataset.path, (".tar",), where=PATH_KEY)
        for shard in self._shards:
            _check_shard(shard)
        self._members.check(self._shards)

    @property
    def fields(self) -> frozenset[str]:
        return self._builder.fields

    @property
    def targets(self) -> Mapping[str, TargetKind]:
        return self._builder.targets

    @property
    def notes(self) -> list[str]:
        if not self._members.key_endings:
            return []
        return ["The keys of the samples have dots: each goes up to a known ending."]

    def rows(self) -> Iterator[RawRow]:
        position = 0
        for batch, shard in enumerate(self._shards):
            for sample in samples(shard, self._wanted, self._members.key_endings):
                yield self._row(sample, position, batch)
                position += 1

    def _wanted(self, ending: str, size: int) -> bool | Problem:
        return self._members.wanted(ending, size, self._limits)

    def _row(self, sample: Sample, position: int, batch: int) -> RawRow:
        problems = list(sample.problems)
        if not problems and (dotted := self._members.dotted(sample)):
            problems.append(dotted)
        if not problems:
            record = self._members.record(sample)
            if not isinstance(record, Problem):
                return self._builder.row(record, source_row=position, batch=batch)
            problems.append(record)
        sizes = {ending or "no ending": f"{size} bytes" for ending, size in sample.sizes.items()}
        return RawRow(
            source_row=position,
            batch=batch,
            example_id=None if is_broken(sample.key) else sample.key or None,
            problems=tuple(problems),
            raw={KEY: sample.key, **sizes},
        )


def _check_shard(path: Path) -> None:
    try:
        tarfile.open(path, "r:").close()
    except (tarfile.TarError, OSError, ValueError, RecursionError) as error:
        raise ContractError(
            f"{path}: not readable as a tar file: {one_line(error)}. Pack it again, uncompressed."
        ) from None
