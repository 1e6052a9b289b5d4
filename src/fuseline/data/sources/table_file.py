"""What every reader of a table in a file promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuseline.data.sources.base import LineCounts
from fuseline.data.sources.cells import Record
from fuseline.data.sources.text_files import is_utf8

# Rows that are told of one by one where a part of a binary file is damaged, whatever number of
# rows its footer claims.
LOST_ROWS = 1_000_000

NOT_UTF8 = "not valid UTF-8"
# What to say of a file that holds nothing.
EMPTY = "{}: expected a table, found an empty file. Fill it."


@dataclass(frozen=True)
class BadRecord:
    """A record that cannot be read: why, and how it begins."""

    detail: str
    content: str


class TableFile(ABC):
    """A table in a file.

    Args:
        path: the file.
        columns: names of the columns that are wanted; records hold no others, and a fault in
            another column costs no row.
        encoding: of a text file that has no byte order mark.

    Attributes:
        lines: of the records that were read so far; None where the file has no lines.
        num_rows: of the file, where it is known beforehand.
    """

    lines: LineCounts | None = None
    num_rows: int | None = None

    def __init__(self, path: Path, columns: Sequence[str], encoding: str = "utf-8") -> None:
        self.path = path
        self.columns = columns
        self.encoding = encoding

    @abstractmethod
    def found_columns(self) -> list[str]:
        """Names of the columns that the file has.

        Raises:
            ContractError: the file is empty, of another encoding, or unreadable as a whole.
        """

    @abstractmethod
    def records(self) -> Iterator[Record | BadRecord]:
        """Yield every record in the file's order; nothing that the file holds is passed over."""

    def first_columns(self, rows: int) -> list[str]:
        """Names of the columns that the first rows have."""
        del rows
        return self.found_columns()

    def notes(self) -> list[str]:
        """Sentences about how the file is read, where that is not plain from its name."""
        return []

    def without_header(self) -> str:
        """Why the columns may be no names, as a sentence with a space before it; else nothing."""
        return ""


def broken(encoding: str) -> str:
    """What is said of bytes that are no text."""
    return NOT_UTF8 if is_utf8(encoding) or encoding.startswith("utf-") else f"not valid {encoding}"


def with_advice(detail: str) -> str:
    """A bad record's detail, and what to do where it is of another encoding."""
    return f"{detail} Save the file as UTF-8." if detail.endswith(f"{NOT_UTF8}.") else detail
