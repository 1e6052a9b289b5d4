"""Where the rows to answer come from: every source of `ingest`, bare media files, or one row."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fuseline.data.media.formats import endings_of_medium
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

STDIN = "-"
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")
# What `datasets` writes beside the rows that it saves.
SAVED = ("state.json", "dataset_info.json", "dataset_dict.json")
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


@contextmanager
def opened(request: Request, contract: ExportContract) -> Iterator[Source]:
    """The source of the rows.

    Raises:
        ConfigError: nothing is there that can be read, or a column that the model takes is not
            among those found.
    """
    if request.path != STDIN:
        yield _source(request, contract)
        return
    with _standard_input() as path:
        yield _source(Request(str(path), "manifest", request.columns, request.encoding), contract)


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
    """The source that reads a path.

    Raises:
        ConfigError: none does.
    """
    place = Path(path)
    if place.is_dir():
        return _kind_of_folder(place)
    if has_ending(place, TAR_ENDINGS):
        return "webdataset"
    if _medium(place):
        return "media"
    return "manifest"


def _kind_of_folder(folder: Path) -> str:
    if any((folder / name).is_file() for name in SAVED):
        return "datasets"
    names = [one for one in folder.iterdir() if not one.name.startswith(".")]
    if any(has_ending(one, MANIFEST_FILES) for one in names):
        return "manifest"
    if any(has_ending(one, TAR_ENDINGS) for one in names):
        return "webdataset"
    return "media"


def _medium(path: Path) -> str | None:
    """`image`, `audio` or `video`, by the ending of a name."""
    ending = path.suffix.lower().removeprefix(".")
    return next((name for name in MEDIA if ending in endings_of_medium(name)), None)


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
    cells = contract.features.get("tabular")
    columns = [one["name"] for one in cells.settings.get("columns", [])] if cells else []
    return {**usual, "tabular": [name for name in columns if found is None or name in found]}


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
    pattern matches; a row each, named by its path."""

    name = "media"

    def __init__(self, path: str, params: IngestParams) -> None:
        self._limits = params.limits
        place = Path(path)
        self._root = (place if place.is_dir() else place.parent).resolve()
        self._names = self._found(place)
        if not self._names:
            endings = ", ".join(MANIFEST_FILES)
            raise ConfigError(
                f"{path}: expected pictures, sounds, videos or a table ({endings}), found none."
            )

    def _found(self, place: Path) -> list[str]:
        if not place.is_dir():
            return [place.name] if place.is_file() else []
        files = (one for one in self._root.rglob("*") if one.is_file() and _medium(one))
        return sorted(one.relative_to(self._root).as_posix() for one in files)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(MEDIA)

    @property
    def num_rows(self) -> int | None:
        return len(self._names)

    def rows(self) -> Iterator[RawRow]:
        for position, name in enumerate(self._names):
            medium = _medium(Path(name)) or "image"
            raw = {"path": name}
            if is_broken(name):
                problem = Problem("malformed_row", "The file's name is not valid UTF-8.")
                yield RawRow(source_row=position, problems=(problem,), raw=raw)
                continue
            found = read_media(self._root, name, medium, self._limits)
            row = RawRow(source_row=position, example_id=name, raw=raw)
            if isinstance(found, Problem):
                yield replace(row, problems=(found,))
            else:
                yield with_medium(row, medium, found)


def with_medium(row: RawRow, name: str, medium: Media) -> RawRow:
    """The row with one medium more."""
    changes: dict[str, Any] = {name: medium}
    return replace(row, **changes)


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
    pictures = read.get("image", [])
    return RawRow(
        source_row=0,
        text=texts[0] if texts else None,
        more_texts=tuple(texts[1:]),
        image=pictures[0] if pictures else None,
        more_images=tuple(pictures[1:]),
        audio=next(iter(read.get("audio", [])), None),
        video=next(iter(read.get("video", [])), None),
        tabular=dict(cells) or None,
        is_named=False,
        raw={},
    )


def _read(path: Path) -> Media:
    try:
        return Media(path.read_bytes(), path.name)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from None
