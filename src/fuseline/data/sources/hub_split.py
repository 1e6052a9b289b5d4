"""Opening a data set of the library `datasets` and reading its cells, undecoded.

Nothing is copied into the library's cache, no code of a data set is run, and a folder is read
without the network.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.data.sources.cells import one_line
from fuseline.data.sources.parquet_file import batch_records
from fuseline.data.sources.table_file import LOST_ROWS, BadRecord
from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import DatasetsParams
from fuseline.registry import suggestion

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

SECTION = "ingest.datasets"

# Rows may hold whole pictures, so few of them are in memory at a time.
BATCH_ROWS = 32

# Builders of the library that read cells and nothing else; others decode what they find, or give
# paths instead of bytes.
BUILDERS = ("parquet", "arrow", "csv", "json")
_ENDINGS = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
}
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class HubSplit:
    """One split.

    Attributes:
        root: its folder, resolved; None on the hub.
        data: the library's own object.
        parquet_rows: number of rows where Parquet files tell it.
    """

    root: Path | None
    data: Dataset | IterableDataset
    parquet_rows: int | None

    @property
    def num_rows(self) -> int | None:
        return getattr(self.data, "num_rows", self.parquet_rows)

    def columns(self) -> list[str]:
        if self.data.features:
            return list(self.data.features)
        table = next(iter(self.data.with_format("arrow").iter(1)), None)
        return table.column_names if table is not None else []

    def records(self, wanted: Sequence[str]) -> Iterator[dict[str, Any] | BadRecord]:
        """Every example; a `BadRecord` for each that is lost where the data is damaged.

        Where nobody knows how many those are, there is one. A class label is its name, and a path
        in the folder is relative to it.
        """
        from datasets.exceptions import DatasetsError

        names, done = _class_names(self.data.features), 0
        try:
            for table in self.data.with_format("arrow").iter(BATCH_ROWS):
                missing = [name for name in wanted if name not in table.column_names]
                if missing:
                    raise ValueError(f"columns missing from here on: {', '.join(missing)}")
                for record in batch_records(table, wanted):
                    if isinstance(record, BadRecord):
                        yield record
                    else:
                        yield self._named(dict(record), names)
                    done += 1
        except (OSError, ValueError, pa.ArrowException, DatasetsError) as error:
            lost = BadRecord(f"the data set is damaged: {self._without_place(error)}.", "")
            yield from [lost] * max(1, min((self.num_rows or 0) - done, LOST_ROWS))

    def _named(self, record: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
        for column in names.keys() & record.keys():
            record[column] = _class_name(record[column], names[column])
        for column, cell in record.items():
            if isinstance(cell, list):
                record[column] = [self._placed(entry) for entry in cell]
            else:
                record[column] = self._placed(cell)
        return record

    def _placed(self, cell: Any) -> Any:
        """A medium's path as seen from the folder."""
        if isinstance(cell, dict) and cell.get("bytes") is None and self.root:
            return {"bytes": None, "path": _below(self.root, cell.get("path"))}
        return cell

    def _without_place(self, error: Exception) -> str:
        """What the error says, the same wherever the folder lies."""
        return one_line(error).replace(str(self.root), "the folder")


def open_split(params: DatasetsParams) -> HubSplit:
    """Open the split that the params name.

    Raises:
        ConfigError: there is no such folder, split or configuration; a hub id has no revision.
        ContractError: the folder holds no data set.
    """
    from datasets.exceptions import DatasetsError

    path = params.path
    if not path:
        raise ConfigError(
            f"{SECTION}.path: expected a folder or a hub id, found null. Set it, for example to"
            " data/raw/set."
        )
    folder = Path(path)
    try:
        if folder.is_dir():
            data, rows = _local(folder, params)
            return HubSplit(folder.resolve(), data, rows)
        return HubSplit(None, _from_hub(path, params), None)
    # The library answers a wrong name, split or configuration with any of these.
    except (OSError, DatasetsError, RuntimeError, KeyError, pa.ArrowException) as error:
        raise ContractError(f"{path}: not readable as a data set: {one_line(error)}.") from None
    except ValueError as error:
        if isinstance(error, ConfigError | ContractError):
            raise
        raise ConfigError(f"{SECTION}: {path}: {one_line(error)}.") from None


def _local(folder: Path, params: DatasetsParams) -> tuple[Dataset | IterableDataset, int | None]:
    import datasets

    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        saved = datasets.load_from_disk(str(folder))
        splits = saved if isinstance(saved, datasets.DatasetDict) else {"train": saved}
        return splits[_split(params, [str(split) for split in splits])], None
    with _offline(), tempfile.TemporaryDirectory() as cache:
        files = _data_files(folder)
        kind, split = _builder_of(folder, files), _split(params, list(files))
        builder = datasets.load_dataset_builder(kind, data_files=files, cache_dir=cache)
        rows = sum(pq.read_metadata(file).num_rows for file in files[split] if kind == "parquet")
        return builder.as_streaming_dataset(split=split), rows or None


def splits_of(folder: Path) -> list[str]:
    """Names of the splits that a folder holds.

    Raises:
        ContractError: the folder holds no data set.
    """
    saved = folder / "dataset_dict.json"
    if saved.is_file():
        try:
            return [str(name) for name in json.loads(saved.read_text(encoding="utf-8"))["splits"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ContractError(f"{saved}: names no splits: {one_line(error)}.") from None
    return ["train"] if (folder / "state.json").is_file() else list(_data_files(folder))


def _from_hub(name: str, params: DatasetsParams) -> IterableDataset:
    import datasets

    if not _HUB_ID.fullmatch(name):
        raise ConfigError(
            f"{SECTION}.path: expected a folder or a hub id, found '{name}', which is neither."
            " Relative paths start at the root of the repository."
        )
    if not params.revision:
        raise ConfigError(
            f"{SECTION}.path: there is no folder '{name}'; as a hub id it needs"
            f" {SECTION}.revision, best a commit, so that a run can be repeated."
        )
    with tempfile.TemporaryDirectory() as cache:
        builder = datasets.load_dataset_builder(
            name, params.name, revision=params.revision, cache_dir=cache
        )
    kind = type(builder).__module__.rpartition(".")[2]
    if kind not in BUILDERS:
        raise ConfigError(
            f"{SECTION}.path: '{name}' is stored as {kind}; expected one of {', '.join(BUILDERS)}."
            f" Name a revision that is, such as refs/convert/parquet."
        )
    return builder.as_streaming_dataset(
        split=_split(params, [str(name) for name in builder.info.splits or {}])
    )


def _data_files(folder: Path) -> dict[str, list[str]]:
    """Files by split, as the library tells splits by names; a card's own list is not followed."""
    from datasets.data_files import DataFilesDict, get_data_patterns

    base = folder.resolve().as_posix()
    found = DataFilesDict.from_patterns(
        get_data_patterns(base), base_path=base, allowed_extensions=list(_ENDINGS)
    )
    files = {str(split): [str(file) for file in names] for split, names in found.items() if names}
    if not files:
        raise ContractError(
            f"{folder}: expected files ending in {', '.join(_ENDINGS)}, found none."
        )
    return files


def _builder_of(folder: Path, files: dict[str, list[str]]) -> str:
    kinds = {_ENDINGS[Path(file).suffix.lower()] for names in files.values() for file in names}
    if len(kinds) > 1:
        raise ContractError(
            f"{folder}: expected files of one kind, found {', '.join(sorted(kinds))}."
            " Give each kind a folder of its own."
        )
    return kinds.pop()


@contextmanager
def _offline() -> Iterator[None]:
    """Keep the library from telling its hub which builder is used, as it does by itself."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _split(params: DatasetsParams, found: list[str]) -> str:
    """The split of the params; null stands for the only one there is."""
    name = params.split or (found[0] if len(found) == 1 else None)
    # A hub data set need not say which splits it has.
    if name is None or (found and name not in found):
        raise ConfigError(
            f"{SECTION}.split: expected one of {', '.join(found)}; found {params.split!r}."
            f"{suggestion(params.split or '', found)}"
        )
    return name


def _class_names(features: Any) -> dict[str, list[str]]:
    """Names of the classes, by column."""
    from datasets import ClassLabel

    return {
        column: list(kind.names)
        for column, kind in (features or {}).items()
        if isinstance(kind, ClassLabel)
    }


def _below(root: Path, path: Any) -> Any:
    """A path as seen from the folder, where it lies in it."""
    if isinstance(path, str) and Path(path).is_relative_to(root):
        return Path(path).relative_to(root).as_posix()
    return path


def _class_name(number: Any, names: list[str]) -> Any:
    """Name of a class; -1, by the library's custom, is no class."""
    if number == "-1":
        return None
    known = isinstance(number, str) and number.isdecimal() and int(number) < len(names)
    return names[int(number)] if known else number
