"""People's own data: a CSV, JSONL or Parquet file with paths to media beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import ColumnParams, IngestParams, ManifestParams
from fuseline.registry import suggestion
from fuseline.sources.base import Media, Problem, RawRow, Source
from fuseline.sources.manifest_files import MANIFEST_FILES, BadRecord, ManifestFile, Record
from fuseline.sources.media_files import read_media

PATH_KEY = "ingest.manifest.path"
COLUMNS_KEY = "ingest.manifest.columns"
SUPPORTED = ("text", "image")
_TEXT_FIELDS = ("id", "text", "label", "group", "lang")


class ManifestSource(Source):
    """One row per record of the file; media paths are relative to the file's folder."""

    name = "manifest"

    def __init__(self, params: IngestParams) -> None:
        self._columns = _mapped_columns(params.manifest.columns)
        self._file = _open_manifest(params.manifest, sorted(set(self._columns.values())))
        self._root = self._file.path.parent.resolve()
        self._max_bytes = params.limits.max_image_bytes
        _check_columns(self._file, self._columns)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(self._columns) & {"text", "image", "label"}

    @property
    def num_rows(self) -> int | None:
        return self._file.num_rows

    def rows(self) -> Iterator[RawRow]:
        for position, record in enumerate(self._file.records()):
            if isinstance(record, BadRecord):
                problem = Problem("malformed_row", record.detail)
                yield RawRow(
                    source_row=position, problems=(problem,), raw={"record": record.content}
                )
            else:
                yield self._row(position, record)

    def _row(self, position: int, record: Record) -> RawRow:
        cells = {field: record[column] for field, column in self._columns.items()}
        raw = {column: _shown(value) for column, value in record.items()}
        problem = self._nested(cells) or self._without_id(cells)
        if problem:
            return RawRow(source_row=position, problems=(problem,), raw=raw)
        image = self._image(cells.get("image"))
        return RawRow(
            source_row=position,
            example_id=cells.get("id") or _content_id(cells),
            text=cells.get("text"),
            label=cells.get("label"),
            group=cells.get("group"),
            lang=cells.get("lang"),
            image=image if isinstance(image, Media) else None,
            problems=(image,) if isinstance(image, Problem) else (),
            raw=raw,
        )

    def _nested(self, cells: Record) -> Problem | None:
        """A list, object or bytes where text belongs."""
        for field in _TEXT_FIELDS:
            if not isinstance(cells.get(field), str | None):
                kind = type(cells[field]).__name__
                return Problem(
                    "malformed_row",
                    f"column {self._columns[field]!r}: expected text, found {kind}.",
                )
        return None

    def _without_id(self, cells: Record) -> Problem | None:
        if "id" in cells and not cells["id"]:
            return Problem("malformed_row", f"column {self._columns['id']!r}: the id is empty.")
        return None

    def _image(self, cell: Any) -> Media | Problem | None:
        """Read an image cell: a path, bytes, or a `{bytes, path}` struct."""
        path, content = cell, None
        if isinstance(cell, bytes):
            path, content = None, cell
        elif isinstance(cell, dict):
            path, content = cell.get("path"), cell.get("bytes")
        if not isinstance(path, str | None) or not isinstance(content, bytes | None):
            return Problem(
                "malformed_row",
                f"column {self._columns['image']!r}: expected a path, bytes or {{bytes, path}}.",
            )
        if content is not None:
            # The path of embedded bytes only tells where they came from; nothing is opened.
            return Media(content, Path(path).name if path else None)
        return read_media(self._root, path, self._max_bytes) if path else None


def _mapped_columns(columns: ColumnParams) -> dict[str, str]:
    """Column by field, for the fields that are mapped.

    Raises:
        ConfigError: a modality that is not supported, or none at all.
    """
    mapped: Mapping[str, Any] = columns.model_dump()
    for field in ("audio", "video", "tabular"):
        if mapped[field]:
            raise ConfigError(
                f"{COLUMNS_KEY}.{field}: found {mapped[field]!r}, but only {', '.join(SUPPORTED)}"
                f" are supported. Set it to {'[]' if field == 'tabular' else 'null'}."
            )
    if not any(mapped[field] for field in SUPPORTED):
        raise ConfigError(
            f"{COLUMNS_KEY}: expected a column for text or image, found neither."
            f" Set {COLUMNS_KEY}.text or {COLUMNS_KEY}.image to a column of the file."
        )
    return {field: column for field, column in mapped.items() if column}


def _open_manifest(params: ManifestParams, columns: list[str]) -> ManifestFile:
    endings = ", ".join(MANIFEST_FILES)
    if not params.path:
        raise ConfigError(
            f"{PATH_KEY}: expected a file ({endings}), found null."
            " Set it to your file, for example data/raw/rows.csv."
        )
    path = Path(params.path)
    kind = MANIFEST_FILES.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(
            f"{PATH_KEY}: expected a file ending in {endings}, found '{path}'. Convert the file."
        )
    try:
        # Opened once here, so that a file that cannot be read is found before any work.
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(
            f"{PATH_KEY}: '{path}' cannot be read ({error.strerror}). Relative paths start at"
            " the root of the repository."
        ) from None
    return kind(path, columns)


def _check_columns(file: ManifestFile, columns: Mapping[str, str]) -> None:
    """Raise ConfigError for columns that the file lacks, ContractError for repeated ones."""
    found = file.found_columns()
    if not found:
        raise ContractError(f"{file.path}: expected a table, found no columns. Fill the file.")
    missing = [
        f"{file.path}: {COLUMNS_KEY}.{field}: expected column '{column}', found columns:"
        f" {', '.join(found)}.{suggestion(column, found)} Name one of them, or null for none."
        for field, column in columns.items()
        if column not in found
    ]
    if missing:
        raise ConfigError("\n".join(missing))
    repeated = sorted({column for column in columns.values() if found.count(column) > 1})
    if repeated:
        raise ContractError(
            f"{file.path}: expected each column once, found {', '.join(repeated)} more than once."
            " Rename the others."
        )


def _content_id(cells: Record) -> str:
    """A name for a row without one, by its content alone: moving the row leaves it as it is."""
    fields = {field: _shown(cells[field]) for field in sorted(cells)}
    content = json.dumps(fields, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:24]


def _shown(cell: Any) -> str | None:
    """A cell as text; bytes by their hash."""
    if isinstance(cell, dict):
        return json.dumps({str(key): _shown(value) for key, value in cell.items()}, sort_keys=True)
    if isinstance(cell, bytes):
        return f"sha256:{hashlib.sha256(cell).hexdigest()}"
    return cell if isinstance(cell, str | None) else str(cell)
