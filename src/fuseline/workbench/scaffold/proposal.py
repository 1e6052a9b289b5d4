"""What a user's file is, which source reads it, and what its columns are for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fuseline.data.sources.batch_files import batch_files, conversion_of, has_ending
from fuseline.data.sources.cells import TEXT_FIELDS, Record, check_once
from fuseline.data.sources.csv_file import CsvFile
from fuseline.data.sources.manifest_files import FOLDER_ENDINGS, MANIFEST_FILES, open_table
from fuseline.data.sources.table_file import BadRecord, TableFile, with_advice
from fuseline.data.sources.text_files import OtherEncodingError
from fuseline.data.sources.webdataset_members import KEY
from fuseline.errors import ConfigError, ContractError
from fuseline.params.base import MEDIA, MODALITIES, Modality
from fuseline.params.ingest import ColumnParams, DatasetsParams
from fuseline.registry import suggestion
from fuseline.workbench.scaffold.columns import FIRST_ROWS, guess_columns
from fuseline.workbench.scaffold.guess import TARGET, Field, Guess
from fuseline.workbench.scaffold.media_notes import conversion, path_notes, unnamed_pictures
from fuseline.workbench.scaffold.notes import column_notes, file_notes
from fuseline.workbench.scaffold.picture_folders import picture_folders
from fuseline.workbench.scaffold.profile import Profile
from fuseline.workbench.scaffold.refusals import (
    refuse_headerless,
    refuse_inputless,
    refuse_interactions,
    refuse_title,
    refuse_wrapped,
)
from fuseline.workbench.scaffold.tar_columns import first_picture, first_samples, joined_endings

# What is learnt of a target, by its kind.
_TASKS = {
    "category": "classification",
    "categories": "multilabel",
    "number": "regression",
    "tags": "token_classification",
    "text": "generation",
}
Told = Mapping[str, Field]
_SHOWN_CHARACTERS = 40
_SAVED = frozenset({"state.json", "dataset_dict.json"})


@dataclass(frozen=True)
class Proposal:
    """How a file or folder becomes a source.

    Attributes:
        source: a name of `SOURCES`.
        path: the file or folder.
        guesses: its columns; empty where it has none.
        modalities: what was found, in the order of `MODALITIES`.
        settings: further keys of the source's section.
        notes: what else the user should know.
        labelled: whether a source without columns gives labels.
    """

    source: str
    path: Path
    guesses: Sequence[Guess]
    modalities: Sequence[Modality]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    labelled: bool = False

    @property
    def columns(self) -> dict[str, Any] | None:
        """The mapping of the params; None where the source has none."""
        if not self.guesses:
            return None
        mapping: dict[str, Any] = dict.fromkeys((*TEXT_FIELDS, *MEDIA))
        mapping["tabular"] = [guess.column for guess in self.guesses if guess.field == "tabular"]
        mapping["targets"] = {}
        for guess in self.guesses:
            if guess.field and guess.field.startswith(TARGET):
                mapping["targets"][guess.column] = guess.field.removeprefix(TARGET)
            elif guess.field and guess.field != "tabular":
                mapping[guess.field] = _with(mapping[guess.field], guess.column)
        return mapping

    @property
    def pictures(self) -> int:
        """Places for pictures that a row needs, as far as was looked."""
        columns = [guess.pictures for guess in self.guesses if guess.field == "image"]
        return len(columns) if len(columns) > 1 else max([1, *columns])

    @property
    def separator(self) -> str | None:
        """What parts several names in a cell; None where nothing does."""
        return next((guess.separator for guess in self.guesses if guess.separator), None)

    @property
    def task(self) -> dict[str, Any] | None:
        """What there is to learn, as an entry of `finetune.tasks`; None where there is nothing."""
        columns = self.columns or {"label": "label" if self.labelled else None, "targets": {}}
        kind, target = None, None
        if columns["label"]:
            kind, target = "classification", "label"
        elif columns["targets"]:
            target, of_target = next(iter(columns["targets"].items()))
            kind = _TASKS[of_target]
        elif len(self.modalities) > 1:
            kind = "retrieval"
        return {"kind": kind, "target": target, "weight": 1.0} if kind else None


def _with(names: str | list[str] | None, column: str) -> str | list[str]:
    """The columns of a field, one more among them."""
    if names is None:
        return column
    return [*names, column] if isinstance(names, list) else [names, column]


def propose(path: Path, told: Told | None = None) -> Proposal:
    """Look at the first rows of a file or folder.

    Args:
        path: the file or folder.
        told: fields that somebody gave columns.

    Raises:
        ConfigError: there is nothing, or nothing that a source reads.
        ContractError: the file is not what its name says.
    """
    if not path.exists():
        raise ConfigError(f"{path}: not found. Name a file or a folder that is there.")
    proposal = _propose(path, told or {})
    unknown = sorted(set(told or {}) - {guess.column for guess in proposal.guesses})
    if unknown:
        names = [guess.column for guess in proposal.guesses]
        raise ConfigError(
            f"--use: {path} has no column {unknown[0]!r}. It has: {', '.join(names) or 'none'}."
            f"{suggestion(unknown[0], names)}"
        )
    return proposal


def _propose(path: Path, told: Told) -> Proposal:
    if path.is_file():
        return _of_file(path, told)
    names = [entry.name for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    endings = {Path(name).suffix.lower() for name in names}
    # A card beside Parquet files tells of a data set as the hub keeps it.
    if not _SAVED.isdisjoint(names) or ("README.md" in names and _has_tables(path)):
        return _datasets(path, told)
    if ".tar" in endings:
        return _webdataset(path, told)
    if any(has_ending(Path(name), FOLDER_ENDINGS) for name in names):
        return _manifest(path, told)
    if _has_tables(path):
        return _datasets(path, told)
    labels, notes = picture_folders(path)
    return Proposal("image_folder", path, (), ("image",), notes=notes, labelled=bool(labels))


def _of_file(path: Path, told: Told) -> Proposal:
    if has_ending(path, MANIFEST_FILES):
        return _manifest(path, told)
    if path.suffix.lower() == ".tar":
        return _webdataset(path, told)
    raise ConfigError(
        f"{path}: expected a file ending in {', '.join(MANIFEST_FILES)} or .tar, or a folder."
        f" {conversion_of(path) or 'Convert the file.'}"
    )


def _has_tables(folder: Path) -> bool:
    return any(next(folder.rglob(f"*{ending}"), None) for ending in (".parquet", ".arrow"))


def _manifest(path: Path, told: Told) -> Proposal:
    files = batch_files(str(path), MANIFEST_FILES, where=str(path), in_folder=FOLDER_ENDINGS)
    first, found, encoded = _first_table(files[0])
    if isinstance(first, CsvFile):
        refuse_title(files[0], found)
    # Commas at the end of a header are columns without a name; no mapping can tell them apart.
    names = [name for name in found if name or found.count("") == 1]
    check_once(names, names, place=str(files[0]))
    first.columns = names
    records, bad = _parted(itertools.islice(first.records(), FIRST_ROWS))
    profiles, root = _profiles(first.columns, records), files[0].parent
    if not told and isinstance(first, CsvFile):
        refuse_headerless(files[0], profiles)
    refuse_wrapped(files[0], records)
    if not told:
        refuse_interactions(path, profiles)
    guesses = guess_columns(profiles, root, told)
    notes = file_notes(files)
    notes += encoded + first.notes()
    notes += path_notes(profiles, guesses, root)
    notes += column_notes(profiles, guesses)
    if path.is_dir():
        tables = files[0].name if len(files) == 1 else f"the {len(files)} tables"
        notes += unnamed_pictures(path, tables, guesses)
    settings = {"encoding": first.encoding}
    return _checked(
        Proposal("manifest", path, guesses, _modalities(guesses), settings, notes), records, bad
    )


def _first_table(path: Path) -> tuple[TableFile, list[str], list[str]]:
    """The table, its columns, and a note where it is not UTF-8."""
    table = open_table(path, [])
    try:
        return table, table.first_columns(FIRST_ROWS), []
    except OtherEncodingError as error:
        table = open_table(path, [], error.offered)
        told = f"{error} What is shown is read so."
        return table, table.first_columns(FIRST_ROWS), [told]


def _datasets(path: Path, told: Told) -> Proposal:
    from fuseline.data.sources.hub_split import open_split, splits_of

    splits = splits_of(path)
    split = "train" if "train" in splits else splits[0]
    params = DatasetsParams(
        path=str(path), name=None, revision=None, split=split, columns=_NO_COLUMNS
    )
    data = open_split(params)
    names = data.columns()
    records, bad = _parted(itertools.islice(data.records(names), FIRST_ROWS))
    guesses = guess_columns(_profiles(names, records), data.root, told)
    others = [name for name in splits if name != split]
    notes = [f"Split {split}; not read: {', '.join(others)}."] if others else []
    settings = {"name": None, "revision": None, "split": split}
    return _checked(
        Proposal("datasets", path, guesses, _modalities(guesses), settings, notes), records, bad
    )


_NO_COLUMNS = ColumnParams(
    id=None,
    text=None,
    image=None,
    audio=None,
    video=None,
    tabular=[],
    label=None,
    targets={},
    group=None,
    split=None,
    lang=None,
    license=None,
    provenance=None,
)


def _webdataset(path: Path, told: Told) -> Proposal:
    shards = batch_files(str(path), (".tar",), where=str(path))
    records, bad = first_samples(shards)
    names = sorted({name for record in records for name in record} - {KEY})
    profiles = _profiles([KEY, *names], records)
    guesses = joined_endings(profiles, guess_columns(profiles, None, told))
    note = conversion([first_picture(record) for record in records])
    notes = [note] if note else []
    proposal = Proposal("webdataset", path, guesses, _modalities(guesses), notes=notes)
    return _checked(proposal, records, bad)


def _parted(
    records: Iterable[Record | BadRecord],
) -> tuple[list[Record], list[BadRecord]]:
    """The records that can be read, and those that cannot."""
    good: list[Record] = []
    bad: list[BadRecord] = []
    for record in records:
        if isinstance(record, BadRecord):
            bad.append(record)
        else:
            good.append(record)
    return good, bad


def _profiles(names: Iterable[str], records: Sequence[Record]) -> list[Profile]:
    return [Profile(name, [record.get(name) for record in records]) for name in names]


def _modalities(guesses: Sequence[Guess]) -> list[Modality]:
    found = {guess.field for guess in guesses}
    return [name for name in MODALITIES if name in found]


def _checked(proposal: Proposal, records: Sequence[Record], bad: Sequence[BadRecord]) -> Proposal:
    columns = ", ".join(guess.column[:_SHOWN_CHARACTERS] for guess in proposal.guesses)
    if not records and bad:
        raise ContractError(
            f"{proposal.path}: expected rows, found none that can be read; the first is bad:"
            f" {with_advice(bad[0].detail)}"
        )
    if not records:
        raise ContractError(
            f"{proposal.path}: expected rows, found only a header ({columns}). Fill the file."
            if proposal.source != "webdataset"
            else f"{proposal.path}: expected rows, found no samples. Fill the shards."
        )
    if not columns:
        raise ContractError(f"{proposal.path}: expected a table, found no columns. Fill the file.")
    if not proposal.modalities:
        refuse_inputless(proposal.path, proposal.guesses)
    if not bad:
        return proposal
    note = (
        f"{len(bad)} of the first {len(records) + len(bad)} rows cannot be read:"
        f" {with_advice(bad[0].detail)}"
    )
    return replace(proposal, notes=[*proposal.notes, note])
