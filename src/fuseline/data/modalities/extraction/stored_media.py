"""Media as the examples table stores them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fuseline.contracts import EXAMPLES, examples_schema, image_places, iter_shards
from fuseline.errors import ContractError

T = TypeVar("T")


@dataclass(frozen=True)
class Medium:
    """One stored medium: its bytes, the column of `examples` they stand in, and their row's id."""

    example_id: str
    column: str
    content: bytes

    def digest(self) -> bytes:
        """SHA-256 of what it is and holds."""
        return hashlib.sha256(self.column.encode() + b"\0" + self.content).digest()

    def decoded(self, decode: Callable[[bytes], T]) -> T:
        """What `decode` makes of the bytes.

        Raises:
            ContractError: they cannot be decoded; it names the row.
        """
        try:
            return decode(self.content)
        except (OSError, ValueError, RuntimeError, SyntaxError) as error:
            raise ContractError(
                f"row '{self.example_id}': its {self.column} cannot be decoded ({error}). Ingest"
                " refuses such rows: run `dvc repro --force ingest`."
            ) from error


def row_media(table: pa.Table, columns: Sequence[str]) -> list[Medium | None]:
    """Each row's medium: that of the first column that is not null."""
    media: list[Medium | None] = [None] * table.num_rows
    ids = table.column("example_id").to_pylist()
    for name in columns:
        for row, cell in enumerate(table.column(name).to_pylist()):
            if media[row] is None and cell is not None and cell["bytes"] is not None:
                media[row] = Medium(ids[row], name, cell["bytes"])
    return media


def placed_pictures(table: pa.Table, places: int) -> list[Medium | None]:
    """Pictures of N rows by place, N * `places`; the table has the columns for them."""
    found: list[Medium | None] = [None] * (table.num_rows * places)
    for row, first in enumerate(row_media(table, ["image"])):
        if first is None or places == 1:
            found[row * places] = first
            continue
        further = table.column("more_images")[row].as_py()
        pictures = [first.content, *(picture["bytes"] for picture in further)]
        taken = table.column("image_places")[row].as_py()
        for place, content in zip(taken, pictures, strict=True):
            found[row * places + place] = Medium(first.example_id, "image", content)
    return found


def picture_columns(places: int) -> list[str]:
    """Columns of `examples` that pictures are in."""
    return ["image"] if places == 1 else ["image", "more_images", "image_places"]


def by_place(values: np.ndarray, present: np.ndarray, places: int) -> np.ndarray:
    """Features (N, places * P, D) of pictures (N * places, P, D): of a row that has any, those of
    its absent places are NaN, by which all that read them know."""
    if places == 1:
        return values
    values = np.where(present[:, None, None], values, np.asarray(np.nan, values.dtype))
    placed = values.reshape(-1, places * values.shape[1], values.shape[2])
    placed[~present.reshape(-1, places).any(1)] = 0
    return placed


def pictures_of(examples: Path, example_ids: Sequence[str]) -> tuple[list[Medium | None], int]:
    """Stored pictures of N rows by place, in the order asked for, N * places, and how many places
    there are.

    Raises:
        ContractError: the table lacks a row.
    """
    places = image_places(examples)
    found: dict[str, list[Medium | None]] = {}
    columns = picture_columns(places)
    for rows in _rows_of(examples, example_ids, examples_schema(places), columns):
        media = placed_pictures(rows, places)
        for row, example_id in enumerate(rows.column("example_id").to_pylist()):
            found[example_id] = media[row * places : (row + 1) * places]
    _check_found(examples, example_ids, found)
    return [medium for example_id in example_ids for medium in found[example_id]], places


def media_of(
    examples: Path, example_ids: Sequence[str], columns: Sequence[str]
) -> list[Medium | None]:
    """Stored media of rows, in the order asked for.

    Args:
        examples: the examples table.
        example_ids: N ids.
        columns: of the table; a row's first that is not null is taken.

    Returns:
        N media, None where a row has none.

    Raises:
        ContractError: the table lacks a row.
    """
    found: dict[str, Medium | None] = {}
    for rows in _rows_of(examples, example_ids, EXAMPLES, columns):
        ids = rows.column("example_id").to_pylist()
        found |= dict(zip(ids, row_media(rows, columns), strict=True))
    _check_found(examples, example_ids, found)
    return [found[example_id] for example_id in example_ids]


def _rows_of(
    examples: Path, example_ids: Sequence[str], schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Shard by shard the rows that are asked for."""
    wanted = pa.array(example_ids, pa.string())
    for _, table in iter_shards(examples, schema, "examples", ["example_id", *columns]):
        yield table.filter(pc.is_in(table.column("example_id"), wanted))


def _check_found(examples: Path, example_ids: Sequence[str], found: Collection[str]) -> None:
    missing = [example_id for example_id in example_ids if example_id not in found]
    if missing:
        raise ContractError(
            f"{examples}: expected a row '{missing[0]}', found none. Run `dvc repro` to make the"
            " tables of one run."
        )
