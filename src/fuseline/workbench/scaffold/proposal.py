"""What a user's file is, which source reads it, and what its columns are for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fuseline.data.sources.batch_files import batch_files, conversion_of, has_ending
from fuseline.data.sources.cells import (
    MODALITIES,
    TEXT_FIELDS,
    Record,
    as_cell,
    check_once,
    is_broken,
)
from fuseline.data.sources.image_folder import picture_names
from fuseline.data.sources.manifest_files import (
    FOLDER_ENDINGS,
    MANIFEST_FILES,
    open_table,
)
from fuseline.data.sources.media_files import MEDIA_FIELDS
from fuseline.data.sources.table_file import BadRecord, TableFile, with_advice
from fuseline.data.sources.tar_shards import Sample, samples
from fuseline.data.sources.text_files import OtherEncodingError
from fuseline.data.sources.webdataset_members import JSON, KEY, NEVER_DECODED, json_object
from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import ColumnParams, DatasetsParams
from fuseline.workbench.scaffold.columns import Guess, guess_columns
from fuseline.workbench.scaffold.media_kinds import (
    CONVERTED_ENDINGS,
    IMAGE_ENDINGS,
    MEDIUM_OF,
    medium_of_name,
)
from fuseline.workbench.scaffold.media_notes import conversion, path_notes, unnamed_pictures
from fuseline.workbench.scaffold.profile import Profile

FIRST_ROWS = 1000
_FIRST_SAMPLES = 200
# Members without a known ending are looked at where they are no longer than a text.
_TEXT_BYTES = 100_000
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
    """

    source: str
    path: Path
    guesses: Sequence[Guess]
    modalities: Sequence[str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def columns(self) -> dict[str, Any] | None:
        """The mapping of the params; None where the source has none."""
        if not self.guesses:
            return None
        mapping: dict[str, Any] = dict.fromkeys((*TEXT_FIELDS, *MEDIA_FIELDS))
        mapping["tabular"] = [guess.column for guess in self.guesses if guess.field == "tabular"]
        # Nothing in a table tells what is to be learnt beside a label.
        mapping["targets"] = {}
        for guess in self.guesses:
            if guess.field and guess.field != "tabular":
                mapping[guess.field] = guess.column
        return mapping


def propose(path: Path) -> Proposal:
    """Look at the first rows of a file or folder.

    Raises:
        ConfigError: there is nothing, or nothing that a source reads.
        ContractError: the file is not what its name says.
    """
    if not path.exists():
        raise ConfigError(f"{path}: not found. Name a file or a folder that is there.")
    if path.is_file():
        return _of_file(path)
    names = [entry.name for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    endings = {Path(name).suffix.lower() for name in names}
    # A card beside Parquet files tells of a data set as the hub keeps it.
    if not _SAVED.isdisjoint(names) or ("README.md" in names and _has_tables(path)):
        return _datasets(path)
    if ".tar" in endings:
        return _webdataset(path)
    if any(has_ending(Path(name), FOLDER_ENDINGS) for name in names):
        return _manifest(path)
    if _has_tables(path):
        return _datasets(path)
    return _image_folder(path)


def _of_file(path: Path) -> Proposal:
    if has_ending(path, MANIFEST_FILES):
        return _manifest(path)
    if path.suffix.lower() == ".tar":
        return _webdataset(path)
    raise ConfigError(
        f"{path}: expected a file ending in {', '.join(MANIFEST_FILES)} or .tar, or a folder."
        f" {conversion_of(path) or 'Convert the file.'}"
    )


def _has_tables(folder: Path) -> bool:
    return any(next(folder.rglob(f"*{ending}"), None) for ending in (".parquet", ".arrow"))


def _manifest(path: Path) -> Proposal:
    files = batch_files(str(path), MANIFEST_FILES, where=str(path), in_folder=FOLDER_ENDINGS)
    first, found, encoded = _first_table(files[0])
    # Commas at the end of a header are columns without a name; no mapping can tell them apart.
    names = [name for name in found if name or found.count("") == 1]
    check_once(names, names, place=str(files[0]))
    first.columns = names
    records, bad = _parted(itertools.islice(first.records(), FIRST_ROWS))
    profiles, root = _profiles(first.columns, records), files[0].parent
    guesses = guess_columns(profiles, root)
    notes = [f"{len(files)} files, each a batch; shown: {files[0].name}."] if len(files) > 1 else []
    notes += encoded + first.notes()
    notes += path_notes(profiles, guesses, root)
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


def _datasets(path: Path) -> Proposal:
    from fuseline.data.sources.hub_data import open_data, splits_of

    splits = splits_of(path)
    split = "train" if "train" in splits else splits[0]
    params = DatasetsParams(
        path=str(path), name=None, revision=None, split=split, columns=_NO_COLUMNS
    )
    data = open_data(params)
    names = data.columns()
    records, bad = _parted(itertools.islice(data.records(names), FIRST_ROWS))
    guesses = guess_columns(_profiles(names, records), data.root)
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


def _webdataset(path: Path) -> Proposal:
    shards = batch_files(str(path), (".tar",), where=str(path))
    every = itertools.chain.from_iterable(samples(shard, _is_short) for shard in shards)
    first = list(itertools.islice(every, _FIRST_SAMPLES))
    records = [_sample_cells(sample) for sample in first if not sample.problems]
    bad = [BadRecord(sample.problems[0].detail, "") for sample in first if sample.problems]
    names = sorted({name for record in records for name in record} - {KEY})
    profiles = _profiles([KEY, *names], records)
    guesses = _joined_endings(profiles, guess_columns(profiles, None))
    note = conversion([_first_picture(record) for record in records])
    notes = [note] if note else []
    proposal = Proposal("webdataset", path, guesses, _modalities(guesses), notes=notes)
    return _checked(proposal, records, bad)


def _first_picture(record: Record) -> str:
    """The picture's name that a sample is read by; those that ingest reads come first."""
    endings = (*IMAGE_ENDINGS, *CONVERTED_ENDINGS)
    return next((record[ending] for ending in endings if ending in record), "")


def _is_short(ending: str, size: int) -> bool:
    """Whether a member is worth a look for text; of media, the ending tells enough."""
    return ending not in MEDIUM_OF and ending not in NEVER_DECODED and size <= _TEXT_BYTES


def _sample_cells(sample: Sample) -> dict[str, Any]:
    cells: dict[str, Any] = {KEY: None if is_broken(sample.key) else sample.key}
    for ending in sample.sizes:
        if ending in MEDIUM_OF:
            cells[ending] = f"{sample.key}.{ending}"
        elif ending in sample.content:
            cells |= _text_cells(ending, sample.content[ending])
    return cells


def _text_cells(ending: str, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig").strip()
        if ending == JSON:
            return {f"{JSON}.{key}": as_cell(cell) for key, cell in json_object(text).items()}
    except (ValueError, RecursionError):
        return {}
    return {ending: text or None}


def _joined_endings(profiles: Sequence[Profile], guesses: Sequence[Guess]) -> list[Guess]:
    """All endings of a medium as one column, as in `jpg;png`."""
    endings: dict[str, list[str]] = {}
    for profile in profiles:
        medium = MEDIUM_OF.get(profile.name)
        if medium:
            endings.setdefault(medium, []).append(profile.name)
    joined = []
    for guess in guesses:
        medium = MEDIUM_OF.get(guess.column)
        if medium is None:
            joined.append(guess)
        elif medium in endings:
            # The first that a sample has is read: of a picture's two, one that ingest takes.
            column = ";".join(sorted(endings.pop(medium), key=CONVERTED_ENDINGS.__contains__))
            joined.append(Guess(column, medium, f"{medium} files", guess.samples))
    return joined


def _image_folder(path: Path) -> Proposal:
    names = list(itertools.islice(picture_names(path), FIRST_ROWS))
    if not any(medium_of_name(name) == "image" for name in names):
        raise ConfigError(
            f"{path}: expected pictures, or files ending in {', '.join(MANIFEST_FILES)} or .tar;"
            " found none. Name the folder that holds them."
        )
    labels = list(dict.fromkeys(name.split("/")[0] for name in names if "/" in name))
    shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
    notes = [f"Labels by folder: {shown}." if labels else "No folders, so no labels."]
    converted = conversion(names)
    notes += [converted] if converted else []
    return Proposal("image_folder", path, (), ("image",), notes=notes)


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


def _modalities(guesses: Sequence[Guess]) -> list[str]:
    found = {guess.field for guess in guesses}
    return [name for name in MODALITIES if name in found]


def _checked(proposal: Proposal, records: Sequence[Record], bad: Sequence[BadRecord]) -> Proposal:
    columns = ", ".join(guess.column for guess in proposal.guesses)
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
        raise ContractError(
            f"{proposal.path}: none of its columns looks like text, media or a table: {columns}."
            " Map them in params.yaml."
        )
    if not bad:
        return proposal
    note = (
        f"{len(bad)} of the first {len(records) + len(bad)} rows cannot be read:"
        f" {with_advice(bad[0].detail)}"
    )
    return replace(proposal, notes=[*proposal.notes, note])
