"""Media as the examples table stores them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from fuseline.contracts import EXAMPLES, iter_shards
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
    wanted = pa.array(example_ids, pa.string())
    found: dict[str, Medium | None] = {}
    for _, table in iter_shards(examples, EXAMPLES, "examples", ["example_id", *columns]):
        rows = table.filter(pc.is_in(table.column("example_id"), wanted))
        ids = rows.column("example_id").to_pylist()
        found |= dict(zip(ids, row_media(rows, columns), strict=True))
    missing = [example_id for example_id in example_ids if example_id not in found]
    if missing:
        raise ContractError(
            f"{examples}: expected a row '{missing[0]}', found none. Run `dvc repro` to make the"
            " tables of one run."
        )
    return [found[example_id] for example_id in example_ids]
