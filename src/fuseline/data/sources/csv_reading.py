"""One way through a CSV file: each line a row, part of one, a bad record, or blank."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fuseline.data.sources.base import LineCounts, brief
from fuseline.data.sources.cells import Record, is_broken
from fuseline.data.sources.csv_shape import RowShape, has_spaced_quote, read_alone, reader
from fuseline.data.sources.table_file import BadRecord, broken
from fuseline.data.sources.text_files import MAX_LINE_CHARACTERS

_OPEN = "Perhaps a quote is left open"
# What Python's reader says where a quoted cell has no end.
_AT_THE_END = "unexpected end of data"


class Line(NamedTuple):
    number: int
    text: str


class Lines:
    """Lines for a reader of CSV, which may be given back to be read once more.

    Attributes:
        taken: what was read since it was last emptied.
        count: lines of the file that were read.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self.taken: list[Line] = []
        self.count = 0
        self._lines = lines
        self._again: deque[Line] = deque()

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
        else:
            line = Line(self.count + 1, next(self._lines))
            self.count += 1
        self.taken.append(line)
        return line.text

    def give_back(self, lines: Sequence[Line]) -> None:
        self._again.extendleft(reversed(lines))


class Dialect(NamedTuple):
    """How a file is written.

    Attributes:
        separator: between cells.
        spaced: whether spaces stand between a separator and a quote.
        names: of the columns.
        header_lines: lines before the first row.
        shape: what its rows look like.
    """

    separator: str
    spaced: bool
    names: list[str]
    header_lines: int
    shape: RowShape


class Reading:
    """One way through a file.

    Args:
        columns: what records hold.
        dialect: how the file is written.
        lines: those behind the header.
        counts: of lines, kept up to date.
        encoding: of the file, for what is said of bytes that are no text.
    """

    def __init__(
        self,
        columns: Sequence[str],
        dialect: Dialect,
        lines: Lines,
        counts: LineCounts,
        encoding: str,
    ) -> None:
        self._dialect, self._lines, self._counts = dialect, lines, counts
        self._num_cells = len(dialect.names)
        self._wanted = [(name, dialect.names.index(name)) for name in columns]
        self._not_text = broken(encoding)
        # The last line of a record that was none: a quote in it may be the one that closed it.
        self._doubtful = 0

    def records(self) -> Iterator[Record | BadRecord]:
        rows = reader(self._lines, self._dialect.separator, spaced=self._dialect.spaced)
        while True:
            self._lines.taken = []
            fault: csv.Error | None = None
            cells: list[str] | None = None
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                fault = error
            taken = self._lines.taken
            self._counts.all = self._lines.count
            if len(taken) == 1:
                yield from self._line(taken[0], cells, fault)
            elif cells is not None and len(cells) == self._num_cells:
                yield from self._record(taken, cells)
            else:
                yield from self._no_record(taken, cells, fault)

    def _line(
        self, line: Line, cells: list[str] | None, fault: csv.Error | None
    ) -> Iterator[Record | BadRecord]:
        """A record of one line."""
        if self._is_blank(line):
            return
        if len(line.text) > MAX_LINE_CHARACTERS:
            yield _bad([line], f"longer than {MAX_LINE_CHARACTERS} characters")
            return
        found = len(cells) if cells is not None else 0
        if cells is None or found != self._num_cells or has_spaced_quote(cells):
            cells = read_alone(line.text, self._num_cells, self._dialect.separator)
        if cells is None:
            expected = f"expected {self._num_cells} cells, found {found}"
            yield _bad([line], f"{fault}. {_OPEN}" if fault else expected)
        elif line.number == self._doubtful and '"' in "".join(cells) and '""' not in line.text:
            yield _bad([line], f"holds a quote that closed another line's. {_OPEN}")
        else:
            yield self._cells(cells, [line])

    def _record(self, taken: list[Line], cells: list[str]) -> Iterator[Record | BadRecord]:
        """A record of several lines, which may be as many rows."""
        if not self._dialect.shape.hold_rows([line.text for line in taken]):
            self._counts.further += len(taken) - 1
            yield self._cells(cells, taken)
            return
        span = f"lines {taken[0].number} to {taken[-1].number}"
        yield from self._refused(
            taken, f"{span} are one record, but look like several rows. {_OPEN}"
        )

    def _no_record(
        self, taken: list[Line], cells: list[str] | None, fault: csv.Error | None
    ) -> Iterator[Record | BadRecord]:
        """Lines that a quote ties together to no record."""
        closed = cells is not None or _AT_THE_END not in str(fault)
        inner = taken[1:-1] if closed else taken[1:]
        rows = self._dialect.shape.are_rows([line.text for line in inner])
        if cells is not None and not rows and inner:
            self._counts.further += len(taken) - 1
            yield _bad(taken, f"expected {self._num_cells} cells, found {len(cells)}")
            return
        last = taken[-1] if closed else None
        span = f"lines {taken[0].number} to {taken[-1].number}"
        why = f"{span} hang together, but are no record. {_OPEN}"
        # What is certainly a row, or has to be looked at by itself, is read again.
        again = taken[1:] if rows else taken[-1:] if closed else []
        refused = taken[: len(taken) - len(again)]
        self._doubtful = last.number if last else 0
        self._lines.give_back(again)
        yield from self._refused(refused, why)

    def _is_blank(self, line: Line) -> bool:
        """Whether the line is no record; it is counted."""
        blank = not line.text.strip() and self._dialect.separator not in line.text
        self._counts.blank += blank
        return blank

    def _refused(self, lines: list[Line], why: str) -> Iterator[Record | BadRecord]:
        """Each of some lines by itself, as a row where it is one whatever the others are."""
        for line in lines:
            if self._is_blank(line):
                continue
            cells = None
            if self._dialect.separator == "\t":
                cells = read_alone(line.text, self._num_cells, "\t")
            yield _bad([line], why) if cells is None else self._cells(cells, [line])

    def _cells(self, cells: list[str], lines: list[Line]) -> Record | BadRecord:
        for name, place in self._wanted:
            if is_broken(cells[place]):
                return _bad(lines, f"column {brief(name)!r}: {self._not_text}")
        return {name: cells[place] or None for name, place in self._wanted}


def _bad(lines: list[Line], why: str) -> BadRecord:
    first, last = lines[0].number, lines[-1].number
    place = f"line {first}" if first == last else f"lines {first} to {last}"
    return BadRecord(f"{place}: {why}.", "".join(line.text for line in lines).rstrip("\r\n"))
