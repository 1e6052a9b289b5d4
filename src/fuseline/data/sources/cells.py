"""From a record of cells to a row: what all sources of tables share."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from fuseline.data.sources.base import Media, Problem, RawRow, brief
from fuseline.data.sources.media_files import embedded_bytes, read_media
from fuseline.data.sources.pictures import read_pictures
from fuseline.errors import ConfigError, ContractError
from fuseline.params.base import MEDIA, MODALITIES
from fuseline.params.ingest import ColumnParams, LimitParams, TargetKind
from fuseline.registry import suggestion

Record = Mapping[str, Any]

TEXT_FIELDS = ("id", "text", "label", "group", "split", "lang", "license", "provenance")

# What tells rows apart that have no id. Terms, origin and a given split do not: naming them later
# must leave every row its name, and so all others their splits.
_CONTENT_FIELDS = frozenset({"text", "image", "audio", "video", "label", "group", "lang"})

# Kinds of targets whose cells may be lists.
_LIST_KINDS = frozenset({"categories", "tags"})

# How many names of columns a message shows.
_SHOWN_NAMES = 40

# One encoder for all rows: building one for each takes longer than the encoding.
_encode = json.JSONEncoder(ensure_ascii=True, sort_keys=True).encode


class RowBuilder:
    """Makes rows of records.

    Args:
        columns: the mapping of fields to columns.
        limits: what a media file may weigh.
        where: the params key of the mapping.

    Raises:
        ConfigError: no modality is mapped.
    """

    def __init__(self, columns: ColumnParams, limits: LimitParams, *, where: str) -> None:
        mapped = columns.model_dump()
        self._limits = limits
        self._texts = [
            (field, mapped[field]) for field in TEXT_FIELDS if mapped[field] and field != "text"
        ]
        self._text_columns = columns.texts
        self._images = columns.images
        self._media = [
            (field, mapped[field]) for field in MEDIA if mapped[field] and field != "image"
        ]
        self._tabular: list[str] = columns.tabular
        self.targets: Mapping[str, TargetKind] = columns.targets
        self._plain = [column for _, column in self._texts] + self._text_columns + self._tabular
        self._content = [pair for pair in self._texts + self._media if pair[0] in _CONTENT_FIELDS]
        self._id: str | None = columns.id
        self.fields = frozenset(field for field in (*MODALITIES, "label") if mapped[field])
        if not self.fields & set(MODALITIES):
            raise ConfigError(
                f"{where}: expected a column for one of {', '.join(MODALITIES)}, found none."
                f" Set {where}.text, for example, to a column of your data."
            )

    @property
    def mapped(self) -> list[tuple[str, str]]:
        """Pairs of field and column; a field of several comes once for each."""
        texts = [("text", column) for column in self._text_columns]
        tabular = [("tabular", column) for column in self._tabular]
        targets = [("targets", column) for column in self.targets]
        images = [("image", column) for column in self._images]
        return [*texts, *self._texts, *images, *self._media, *tabular, *targets]

    @property
    def columns(self) -> list[str]:
        """Every column that is mapped, once, sorted."""
        return sorted({column for _, column in self.mapped})

    def row(
        self, record: Record, *, source_row: int, batch: int = 0, root: Path | None = None
    ) -> RawRow:
        """Make the row of one record, which holds every mapped column.

        Args:
            record: cells by column: texts, None where empty, or lists, objects and bytes.
            source_row: the row's position.
            batch: the row's batch.
            root: folder that media paths are relative to, resolved; None where none are allowed.
        """
        raw = _raw(record)
        problem = self._no_text(record) or self._without_id(record)
        if problem:
            return RawRow(source_row=source_row, batch=batch, problems=(problem,), raw=raw)
        values: dict[str, Any] = {field: record[column] for field, column in self._texts}
        given_id = values.pop("id", None)
        values["text"], *more_texts = [
            cell for column in self._text_columns if (cell := record[column])
        ] or [None]
        problems = []
        pictures = self._pictures(record, root)
        if isinstance(pictures, Problem):
            problems.append(pictures)
            pictures = [None]
        for field, column in self._media:
            medium = self._medium(field, column, record[column], root)
            if isinstance(medium, Problem):
                problems.append(medium)
            else:
                values[field] = medium
        targets = {name: _target(name, kind, record[name]) for name, kind in self.targets.items()}
        problems += [cell for cell in targets.values() if isinstance(cell, Problem)]
        return RawRow(
            source_row=source_row,
            batch=batch,
            example_id=given_id or self._content_id(record),
            is_named=bool(given_id),
            more_texts=tuple(more_texts),
            image=pictures[0],
            more_images=tuple(pictures[1:]),
            tabular={name: record[name] for name in self._tabular} if self._tabular else None,
            targets={k: v for k, v in targets.items() if not isinstance(v, Problem)} or None,
            problems=tuple(problems),
            raw=raw,
            **values,
        )

    def _no_text(self, record: Record) -> Problem | None:
        """A list, object or bytes where text belongs."""
        for column in self._plain:
            cell = record[column]
            if cell is not None and not isinstance(cell, str):
                return _malformed(column, f"expected text, found {type(cell).__name__}")
        return None

    def _without_id(self, record: Record) -> Problem | None:
        if self._id and not record[self._id]:
            return _malformed(self._id, "the id is empty")
        return None

    def _pictures(self, record: Record, root: Path | None) -> list[Media | None] | Problem:
        if not self._images:
            return [None]

        def read(column: str, cell: Any) -> Media | Problem | None:
            return self._medium("image", column, cell, root)

        cells = [record[column] for column in self._images]
        return read_pictures(self._images, cells, root, self._limits.max_images, read)

    def _medium(
        self, field: str, column: str, cell: Any, root: Path | None
    ) -> Media | Problem | None:
        """Read a media cell: a path, bytes, bytes in base64, or a `{bytes, path}` struct."""
        path, content = cell, None
        if isinstance(cell, bytes):
            path, content = None, cell
        elif isinstance(cell, dict):
            path, content = cell.get("path"), cell.get("bytes")
        if not isinstance(path, str | None) or not isinstance(content, bytes | None):
            return _malformed(column, "expected a path, bytes or {bytes, path}")
        if content is not None:
            # The path of embedded bytes only tells where they came from; nothing is opened.
            return Media(content, Path(path).name or None if path else None)
        if not path:
            return None
        if (embedded := embedded_bytes(path)) is not None:
            return Media(embedded, None)
        if root is None:
            shown = repr(brief(path))
            return Problem("unsafe_path", f"{shown} names a file, but only bytes are read here.")
        return read_media(root, path, field, self._limits)

    def _content_id(self, record: Record) -> str:
        """A name for a row without one, by its content: moving the row leaves it as it is."""
        content: dict[str, Any] = {field: shown(record[column]) for field, column in self._content}
        for field, columns in (("text", self._text_columns), ("image", self._images)):
            if columns:
                cells = [shown(record[column]) for column in columns]
                content[field] = cells if len(cells) > 1 else cells[0]
        if self._tabular:
            content["tabular"] = {name: record[name] for name in self._tabular}
        return hashlib.sha256(_encode(content).encode()).hexdigest()[:24]


def _target(column: str, kind: TargetKind, cell: Any) -> str | Problem | None:
    """A target's cell as text, a list of texts as JSON; what it says is judged later."""
    if cell is None or isinstance(cell, str):
        return cell
    if kind not in _LIST_KINDS:
        return _misfit(column, f"expected text or a number, found {type(cell).__name__}")
    if not isinstance(cell, list) or not all(isinstance(entry, str) for entry in cell):
        return _misfit(column, "expected text or a list of texts, found something else")
    return json.dumps(cell, ensure_ascii=False)


def _misfit(column: str, detail: str) -> Problem:
    return Problem("malformed_target", f"column {brief(column)!r}: {detail}.")


def as_cell(value: Any) -> Any:
    """A scalar as text, spelt as in the file; an empty text and a number that is none as None.

    Lists, objects and bytes stay as they are, for the source to judge.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (str, list, dict, bytes)):
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else str(value)


def shown(cell: Any) -> str | None:
    """A cell as text; bytes by their hash."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, dict):
        return json.dumps({str(key): shown(value) for key, value in cell.items()}, sort_keys=True)
    if isinstance(cell, list) and any(isinstance(entry, bytes | dict) for entry in cell):
        return json.dumps([shown(entry) for entry in cell])
    if isinstance(cell, bytes):
        return f"sha256:{hashlib.sha256(cell).hexdigest()}"
    return str(cell)


def is_broken(text: str) -> bool:
    """Whether the text holds lone surrogates, which no UTF-8 can spell."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def one_line(error: Exception) -> str:
    """What an error says, on one line and without the stop at its end."""
    return " ".join(str(error).split()).rstrip(".")


def unreadable(detail: str, content: str, *, source_row: int, batch: int) -> RawRow:
    """The row of a record that cannot be read."""
    problem = Problem("malformed_row", detail)
    return RawRow(source_row=source_row, batch=batch, problems=(problem,), raw={"record": content})


def check_columns(
    found: Sequence[str],
    mapped: Sequence[tuple[str, str]],
    *,
    where: str,
    place: str,
    why: str = "",
) -> None:
    """Compare the columns of a table with those that are mapped.

    Args:
        found: the table's columns.
        mapped: pairs of field and column.
        where: the params key of the mapping.
        place: the table's name, for the message.
        why: what more is to say where one is missing, with a space before it.

    Raises:
        ConfigError: a mapped column is not there.
        ContractError: there are no columns, or a mapped one is there twice.
    """
    if not found:
        raise ContractError(f"{place}: expected a table, found no columns. Fill the file.")
    present = set(found)
    fields = Counter(field for field, _ in mapped)
    missing = [
        f"{place}: {where}.{field}: expected column '{column}', found columns:"
        f" {_names(found)}.{suggestion(column, list(found))} Name one of them, or"
        f" {_without(field, fields[field])}."
        for field, column in mapped
        if column not in present
    ]
    if missing:
        raise ConfigError("\n".join(missing) + why)
    check_once(found, {column for _, column in mapped}, place=place)


def _without(field: str, columns: int) -> str:
    """How the params say that a column is not there."""
    listed = field in ("tabular", "targets") or columns > 1
    return "leave it out" if listed else "null for none"


def _names(columns: Sequence[str]) -> str:
    shown = ", ".join(brief(column) for column in columns[:_SHOWN_NAMES])
    more = len(columns) - _SHOWN_NAMES
    return f"{shown}, and {more} more" if more > 0 else shown


def check_once(found: Sequence[str], wanted: Collection[str], *, place: str) -> None:
    """Refuse a table that has one of the wanted columns twice.

    Raises:
        ContractError: it has.
    """
    repeated = sorted({column for column in wanted if found.count(column) > 1})
    if repeated:
        raise ContractError(
            f"{place}: expected each column once, found {', '.join(repeated)} more than once."
            " Rename the others."
        )


def _malformed(column: str, detail: str) -> Problem:
    return Problem("malformed_row", f"column {brief(column)!r}: {detail}.")


def _raw(record: Record) -> dict[str, str | None]:
    return {column: shown(cell) for column, cell in record.items()}
