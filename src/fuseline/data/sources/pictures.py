"""The pictures of a row: one in each of several columns, or several in one cell."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fuseline.data.sources.base import Media, Problem
from fuseline.data.sources.media_files import leads_out

SEPARATORS = (";", "|")

# Reads one cell of a column; None where it is empty.
Read = Callable[[str, Any], Media | Problem | None]


def read_pictures(
    columns: Sequence[str], cells: Sequence[Any], root: Path | None, max_images: int, read: Read
) -> list[Media | None] | Problem:
    """The pictures of a row by place, which is that of the column, or in the cell of a single one.

    Args:
        columns: names.
        cells: of them.
        root: folder that paths are relative to; None where none are read.
        max_images: places that a row has.
        read: reads a picture.

    Returns:
        One picture a place, None where one is absent, at least one place; or the first problem.
    """
    if len(columns) > 1:
        named = list(zip(columns, cells, strict=True))
        for column, cell in named:
            if isinstance(cell, list):
                detail = "expected one picture, since image names several columns, found a list"
                return Problem("malformed_row", f"column {column!r}: {detail}.")
    else:
        entries = picture_entries(cells[0], _there(cells[0], root))
        named = [(columns[0], entry) for entry in entries]
    if len(named) > max_images:
        return Problem(
            "too_many_images",
            f"{len(named)} pictures; ingest.limits.max_images is {max_images}: raise it to keep"
            " them.",
        )
    pictures: list[Media | None] = []
    for column, cell in named:
        picture = read(column, cell)
        if isinstance(picture, Problem):
            return picture
        pictures.append(picture)
    return pictures or [None]


def picture_entries(cell: Any, are_files: Callable[[Sequence[str]], bool]) -> list[Any]:
    """What a cell lists, without what is empty at its end; the cell itself where it is no list.

    Args:
        cell: of a column of pictures.
        are_files: whether the parts of a text are paths, and no pieces of a single one.
    """
    entries = cell if isinstance(cell, list) else _spelt_list(cell, are_files)
    while entries and entries[-1] in (None, ""):
        entries = entries[:-1]
    return entries


def _spelt_list(cell: Any, are_files: Callable[[Sequence[str]], bool]) -> list[Any]:
    """Paths of a JSON list, or parted by a sign."""
    if not isinstance(cell, str):
        return [cell]
    if cell.startswith("["):
        try:
            listed = json.loads(cell)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list):
            return listed
    for separator in SEPARATORS:
        parts = [part.strip() for part in cell.split(separator)]
        if len(parts) > 1 and are_files(parts):
            return parts
    return [cell]


def _there(cell: Any, root: Path | None) -> Callable[[Sequence[str]], bool]:
    """Asks whether one of the parts is there, and the cell is no file by the sign in its name."""
    return lambda parts: not _is_file(root, cell) and any(_is_file(root, part) for part in parts)


def _is_file(root: Path | None, name: str) -> bool:
    """Whether a file of that name is there; it is opened elsewhere, by rules of its own."""
    if root is None or not name or leads_out(name):
        return False
    try:
        return (root / name).is_file()
    except (OSError, ValueError):
        return False
