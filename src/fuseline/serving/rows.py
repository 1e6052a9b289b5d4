"""Where the rows to answer come from: every source of `ingest`, bare media files, or one row."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fuseline.contracts import hash_file
from fuseline.data.media.names import medium_of_name
from fuseline.data.sources import SOURCES, Media, Problem, RawRow, Source
from fuseline.data.sources.batch_files import batch_files, has_ending
from fuseline.data.sources.cells import is_broken
from fuseline.data.sources.manifest_files import MANIFEST_FILES, open_table
from fuseline.data.sources.media_files import read_media
from fuseline.errors import ConfigError
from fuseline.params.base import MEDIA
from fuseline.params.ingest import ColumnParams, IngestParams
from fuseline.registry import lookup, suggestion
from fuseline.serving.contract import ExportContract
from fuseline.serving.signatures import files_of, signature

STDIN = "-"
TAR = (".tar",)
# What `datasets` writes beside the rows that it saves.
SAVED = ("state.json", "dataset_dict.json")
# Fields that a row to answer may have; the rest is for training.
ASKED = ("id", "text", "image", "audio", "video", "tabular")
# Sources that make their rows themselves.
BUILT_IN = ("emoji", "synthetic")


@dataclass(frozen=True)
class Request:
    """What is to be read.

    Attributes:
        path: file, folder, pattern, `-` for standard input, or what a source knows by a name.
        source: a name of `SOURCES`; found by the path where it is empty.
        columns: of fields other columns than those that the model was trained on; empty ones for
            none.
        encoding: of text files without a byte order mark.
    """

    path: str
    source: str = ""
    columns: Mapping[str, list[str]] = field(default_factory=dict)
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Input:
    """Rows to read.

    Attributes:
        source: of them.
        state: by what its files are known to be others.
    """

    source: Source
    state: object


@contextmanager
def opened(request: Request, contract: ExportContract) -> Iterator[Input]:
    """The rows that are asked for.

    Raises:
        ConfigError: nothing is there that can be read, or a column that the model takes is not
            among those found.
    """
    if request.path != STDIN:
        yield Input(_source(request, contract), signature(files_of(request.path)))
        return
    with _standard_input() as path:
        piped = replace(request, path=str(path), source="manifest")
        yield Input(_source(piped, contract), hash_file(path))


@contextmanager
def _standard_input() -> Iterator[Path]:
    """Standard input as a file of the working folder, which its media's paths start from."""
    with tempfile.TemporaryDirectory(prefix=".fuseline-", dir=Path.cwd()) as place:
        whole = Path(place) / "rows"
        with whole.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        with whole.open("rb") as file:
            begins = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if not begins:
            raise ConfigError("standard input: expected CSV or JSON lines, found nothing.")
        named = Path.cwd() / f"{Path(place).name}{'.jsonl' if begins == b'{' else '.csv'}"
        whole.rename(named)
        try:
            yield named
        finally:
            named.unlink(missing_ok=True)


def _source(request: Request, contract: ExportContract) -> Source:
    if not (request.source or Path(request.path).is_dir() or files_of(request.path)):
        raise ConfigError(
            f"{request.path}: expected a file, a folder or a pattern, found none there. Relative"
            " paths start at the working folder; --source reads what is no path."
        )
    kind = request.source or _kind(request.path)
    if kind == "media":
        return MediaFiles(request.path, contract.ingest)
    values = contract.ingest.model_dump()
    values["source"] = kind
    lookup(SOURCES, kind, where="--source")
    if kind not in BUILT_IN:
        values[kind]["path"] = request.path
    if kind == "manifest":
        values["manifest"]["encoding"] = request.encoding
    if kind in ("manifest", "datasets", "webdataset"):
        found = _found_columns(request) if kind == "manifest" else None
        values[kind]["columns"] = _columns(request, contract, found).model_dump()
    try:
        params = IngestParams.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{request.path}: {'.'.join(map(str, first['loc']))}: {first['msg']}."
        ) from None
    return SOURCES[kind](params)


def _kind(path: str) -> str:
    """The source that reads a path: that of tables, where nothing there says otherwise."""
    place = Path(path)
    if place.is_dir():
        if any((place / name).is_file() for name in SAVED):
            return "datasets"
        found = [one for one in place.iterdir() if not one.name.startswith(".")]
    else:
        found = files_of(path)
    if any(has_ending(one, MANIFEST_FILES) for one in found):
        return "manifest"
    if any(has_ending(one, TAR) for one in found):
        return "webdataset"
    return (
        "media" if place.is_dir() or any(medium_of_name(one.name) for one in found) else "manifest"
    )


def _found_columns(request: Request) -> list[str]:
    """Columns of the first file."""
    path = batch_files(request.path, MANIFEST_FILES, where="INPUT")[0]
    return open_table(path, [], request.encoding).found_columns()


def _columns(
    request: Request, contract: ExportContract, found: Sequence[str] | None
) -> ColumnParams:
    """Which column is what: as in training, unless the request says otherwise.

    Raises:
        ConfigError: a column is not there.
    """
    trained = getattr(contract.ingest, contract.ingest.source)
    known = getattr(trained, "columns", None)
    values: dict[str, Any] = dict.fromkeys(ColumnParams.model_fields)
    values |= {"tabular": [], "targets": {}}
    wanted = known.model_dump() if known else _usual(contract, found)
    for name in ASKED:
        given = request.columns.get(name, _listed(wanted[name]))
        if found is not None:
            given = _present(name, given, found, request, must=known is not None)
        values[name] = given if name == "tabular" else _one_or_several(given)
    return ColumnParams.model_validate(values)


def _usual(contract: ExportContract, found: Sequence[str] | None) -> dict[str, Any]:
    """Columns of a model that was not trained on a table: each by its modality's own name."""
    usual = {name: name for name in ASKED if name != "tabular"}
    known = contract.cells
    return {**usual, "tabular": [name for name in known if found is None or name in found]}


def _present(
    name: str, columns: list[str], found: Sequence[str], request: Request, *, must: bool
) -> list[str]:
    missing = [column for column in columns if column not in found]
    told = name in request.columns
    if not missing or (name == "id" and not told) or not (must or told):
        return [column for column in columns if column in found]
    near = suggestion(missing[0], list(found))
    raise ConfigError(
        f"{request.path}: expected a column '{missing[0]}' for {name}; found {', '.join(found)}."
        f"{near} Name it with --column {name}=NAME, or leave it out with --column {name}= where the"
        " rows have none."
    )


def _listed(value: str | list[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _one_or_several(names: list[str]) -> str | list[str] | None:
    if not names:
        return None
    return names[0] if len(names) == 1 else names


class MediaFiles(Source):
    """Bare media files: one that is named, those of a folder and of its folders, or those that a
    pattern matches; a row each, named by its path below the folder that holds them all. Those of
    formats that are not read are rows too, and are refused with the reason."""

    name = "media"

    def __init__(self, path: str, params: IngestParams) -> None:
        self._limits = params.limits
        files = [one.resolve() for one in files_of(path) if medium_of_name(one.name)]
        if not files:
            endings = ", ".join(MANIFEST_FILES)
            raise ConfigError(
                f"{path}: expected pictures, sounds, videos or a table ({endings}), found none."
            )
        named = Path(path).resolve()
        parents = [str(one.parent) for one in files]
        self._root = named if named.is_dir() else Path(os.path.commonpath(parents))
        self._names = sorted(one.relative_to(self._root).as_posix() for one in files)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(MEDIA)

    @property
    def num_rows(self) -> int | None:
        return len(self._names)

    def rows(self) -> Iterator[RawRow]:
        for position, name in enumerate(self._names):
            yield self._row(position, name)

    def _row(self, position: int, name: str) -> RawRow:
        raw = {"path": name}
        if is_broken(name):
            problem = Problem("malformed_row", "The file's name is not valid UTF-8.")
            return RawRow(source_row=position, problems=(problem,), raw=raw)
        medium = medium_of_name(name)
        assert medium is not None  # others are not listed
        found = read_media(self._root, name, medium, self._limits)
        if isinstance(found, Problem):
            return RawRow(source_row=position, example_id=name, problems=(found,), raw=raw)
        return raw_row(position, media={medium: [found]}, name=name)


def raw_row(
    number: int,
    *,
    text: Sequence[str] = (),
    media: Mapping[str, Sequence[Media | None]],
    cells: Mapping[str, str | None] | None = None,
    name: str | None = None,
) -> RawRow:
    """A row as a source would hold it.

    Args:
        number: its place among the others.
        text: in the order of the columns that the model was trained on.
        media: by modality; pictures by their places, of the others the first counts.
        cells: by column.
        name: its id, if it has one.
    """
    image, audio, video = (media.get(kind, ()) for kind in ("image", "audio", "video"))
    return RawRow(
        source_row=number,
        example_id=name,
        is_named=name is not None,
        text=text[0] if text else None,
        more_texts=tuple(text[1:]),
        image=image[0] if image else None,
        more_images=tuple(image[1:]),
        audio=next(iter(audio), None),
        video=next(iter(video), None),
        tabular=dict(cells or {}) or None,
        raw={},
    )


def one_row(
    texts: Sequence[str],
    media: Mapping[str, Sequence[Path]],
    cells: Mapping[str, str],
) -> RawRow:
    """The row that a command's options describe.

    Args:
        texts: in the order of the columns that the model was trained on.
        media: files by modality; several pictures by their places.
        cells: by column.

    Raises:
        ConfigError: a file cannot be read.
    """
    read = {name: [_read(path) for path in paths] for name, paths in media.items()}
    return raw_row(0, text=texts, media=read, cells=cells)


def _read(path: Path) -> Media:
    try:
        return Media(path.read_bytes(), path.name)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from None
