"""Tables whose columns have no names: those of data sets of recommendations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from fuseline.data.sources.base import brief
from fuseline.data.sources.cells import Record, is_broken
from fuseline.data.sources.table_file import EMPTY, BadRecord, TableFile, broken
from fuseline.data.sources.text_files import encoding_of, text_lines
from fuseline.errors import ContractError


class PlacedFile(TableFile):
    """A row a line, its cells parted by a separator; columns are named by their places, from `1`
    on. Nothing is quoted."""

    separator: str

    def found_columns(self) -> list[str]:
        for line in text_lines(self.path, self._encoding, newline="\n"):
            if line.strip():
                return [str(place) for place in range(1, len(self._cells(line)) + 1)]
        raise ContractError(EMPTY.format(self.path))

    def records(self) -> Iterator[Record | BadRecord]:
        expected = len(self.found_columns())
        for number, line in enumerate(text_lines(self.path, self._encoding, newline="\n"), 1):
            if not line.strip():
                continue
            cells = self._cells(line)
            wanted = {name: cells[int(name) - 1] or None for name in self._within(len(cells))}
            where = f"Line {number} of {self.path.name}"
            if len(cells) != expected:
                detail = f"{where} has {len(cells)} cells, the first {expected}."
                yield BadRecord(detail, brief(line))
            elif any(is_broken(cell) for cell in wanted.values() if cell):
                yield BadRecord(f"{where} is {broken(self._encoding)}.", brief(line))
            else:
                yield wanted

    def _within(self, count: int) -> list[str]:
        return [name for name in self.columns if int(name) <= count]

    def _cells(self, line: str) -> list[str]:
        return [cell.strip() for cell in line.rstrip("\r\n").split(self.separator)]

    @cached_property
    def _encoding(self) -> str:
        return encoding_of(self.path, self.encoding)


class DoubleColonFile(PlacedFile):
    """As MovieLens 1M and MovieTweetings have it: `1::1193::5::978300760`."""

    separator = "::"


class TabFile(PlacedFile):
    """As the events of MovieLens 100K are: `u.data`."""

    separator = "\t"


class BarFile(PlacedFile):
    """As the films of MovieLens 100K are: `u.item`."""

    separator = "|"
