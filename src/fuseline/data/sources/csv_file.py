"""Record by record through a CSV or TSV file, line by line accounted for."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from fuseline.data.sources.base import LineCounts, brief
from fuseline.data.sources.cells import Record, is_broken
from fuseline.data.sources.csv_shape import (
    SEPARATOR_LINE,
    SEPARATORS,
    RowShape,
    first_lines,
    has_spaced_quote,
    read_alone,
    reader,
    separator_of,
    well_formed,
    without_spaces,
)
from fuseline.data.sources.table_file import EMPTY, BadRecord, TableFile, broken
from fuseline.data.sources.text_files import (
    MAX_LINE_CHARACTERS,
    encoding_of,
    is_readable_as,
    is_utf8,
    other_encoding,
    text_lines,
)
from fuseline.errors import ContractError

# A header of so many words, or of a number, is more likely a row.
_HEADER_WORDS = 6

_OPEN = "Perhaps a quote is left open"
# What Python's reader says where a quoted cell has no end.
_AT_THE_END = "unexpected end of data"


class _Line(NamedTuple):
    number: int
    text: str


class _Lines:
    """Lines for a reader of CSV, which may be given back to be read once more.

    Attributes:
        taken: what was read since it was last emptied.
        count: lines of the file that were read.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self.taken: list[_Line] = []
        self.count = 0
        self._lines = lines
        self._again: deque[_Line] = deque()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
        else:
            line = _Line(self.count + 1, next(self._lines))
            self.count += 1
        self.taken.append(line)
        return line.text

    def give_back(self, lines: Sequence[_Line]) -> None:
        self._again.extendleft(reversed(lines))


class _Dialect(NamedTuple):
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


class CsvFile(TableFile):
    """Separated values with a header; blank lines do not count as records.

    A record that a quote left open makes of several rows is found by what its lines look like
    (`RowShape`). Where it can be no record as a whole, the line that opens the quote is refused and
    the others are read as the rows they are; where it could be one, each line is refused, with
    its own text, as nobody can know.
    """

    usual_separator = ","

    def found_columns(self) -> list[str]:
        self._check_encoding()
        return self._dialect.names

    def notes(self) -> list[str]:
        dialect, notes = self._dialect, []
        if dialect.separator != self.usual_separator:
            notes.append(f"{self.path.name}: cells are parted by {SEPARATORS[dialect.separator]}.")
        if dialect.spaced:
            notes.append(f"{self.path.name}: spaces between a separator and a quote are skipped.")
        if not is_utf8(self._encoding):
            notes.append(f"{self.path.name}: read as {self._encoding}.")
            if not self._encoding.startswith("utf-") and self._reads_as_utf8():
                notes[-1] = f"{notes[-1][:-1]}, though it is valid UTF-8 too."
        return notes

    def without_header(self) -> str:
        names = self._dialect.names
        row = any(
            len(name.split()) >= _HEADER_WORDS or name.replace(".", "", 1).isdigit()
            for name in names
        )
        if not row and not self._dialect.shape.are_names(names):
            return ""
        example = self._dialect.separator.join(f"column_{n}" for n in range(1, len(names) + 1))
        return (
            f" Line {self._dialect.header_lines} looks like a row, not like names of columns: put a"
            f" line of {len(names)} names above it, such as {example!r}, and map those."
        )

    def records(self) -> Iterator[Record | BadRecord]:
        dialect = self._dialect
        self.lines = LineCounts(dialect.header_lines, dialect.header_lines)
        lines = _Lines(self._text())
        for _ in range(dialect.header_lines):
            next(lines)
        yield from _Reading(self, dialect, lines, self.lines, self._encoding).records()

    @cached_property
    def _encoding(self) -> str:
        return encoding_of(self.path, self.encoding)

    def _text(self) -> Iterator[str]:
        return text_lines(self.path, self._encoding, newline="")

    @cached_property
    def _dialect(self) -> _Dialect:
        """Read off the header and the first lines.

        Raises:
            ContractError: there is no header.
        """
        first = first_lines(self._text())
        named = SEPARATOR_LINE.fullmatch(first[0]) if first else None
        skipped = 1 if named else 0
        if not any(line.strip() for line in first[skipped:]):
            raise ContractError(EMPTY.format(self.path))
        if not first[skipped].strip():
            raise ContractError(
                f"{self.path}: expected a header in line {skipped + 1}, found a blank line."
                " Remove it."
            )
        separator = named[1] if named else separator_of(first, self.usual_separator)
        lines = _Lines(iter([without_spaces(first[skipped], separator), *first[skipped + 1 :]]))
        try:
            names = next(reader(lines, separator, spaced=True))
        except csv.Error as error:
            raise ContractError(f"{self.path}: the header is not readable: {error}.") from None
        header_lines = skipped + lines.count
        sample = first[header_lines:]
        plain, spaced = (
            well_formed(sample, separator, len(names), spaced=skip) for skip in (False, True)
        )
        return _Dialect(
            separator,
            spaced > plain,
            [name.strip() for name in names],
            header_lines,
            RowShape(sample, separator, len(names)),
        )

    def _check_encoding(self) -> None:
        """Refuse a file of another encoding; one that is damaged here and there loses rows alone.

        Only cells of the wanted columns count.
        """
        if is_readable_as(self.path, self._encoding) or self._encoding != self.encoding:
            return
        if any(is_broken(name) for name in self._dialect.names):
            raise other_encoding(self.path, self.encoding)
        wanted = self.columns
        names = self._dialect.names
        self.columns = [name for name in wanted or names if name in names]
        told = f"{broken(self._encoding)}."
        bad = good = 0
        for record in self.records():
            if isinstance(record, BadRecord):
                bad += record.detail.endswith(told)
            else:
                good += any(cell and not cell.isascii() for cell in record.values())
        self.columns = wanted
        if bad > good:
            raise other_encoding(self.path, self.encoding)

    def _reads_as_utf8(self) -> bool:
        return is_readable_as(self.path, "utf-8") and not is_readable_as(self.path, "ascii")


class TsvFile(CsvFile):
    """As CSV, with tabs between cells."""

    usual_separator = "\t"


class _Reading:
    """One way through a file."""

    def __init__(
        self, file: CsvFile, dialect: _Dialect, lines: _Lines, counts: LineCounts, encoding: str
    ) -> None:
        self._dialect, self._lines, self._counts = dialect, lines, counts
        self._num_cells = len(dialect.names)
        self._wanted = [(name, dialect.names.index(name)) for name in file.columns]
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
        self, line: _Line, cells: list[str] | None, fault: csv.Error | None
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

    def _record(self, taken: list[_Line], cells: list[str]) -> Iterator[Record | BadRecord]:
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
        self, taken: list[_Line], cells: list[str] | None, fault: csv.Error | None
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

    def _is_blank(self, line: _Line) -> bool:
        """Whether the line is no record; it is counted."""
        blank = not line.text.strip() and self._dialect.separator not in line.text
        self._counts.blank += blank
        return blank

    def _refused(self, lines: list[_Line], why: str) -> Iterator[Record | BadRecord]:
        """Each of some lines by itself, as a row where it is one whatever the others are."""
        for line in lines:
            if self._is_blank(line):
                continue
            cells = None
            if self._dialect.separator == "\t":
                cells = read_alone(line.text, self._num_cells, "\t")
            yield _bad([line], why) if cells is None else self._cells(cells, [line])

    def _cells(self, cells: list[str], lines: list[_Line]) -> Record | BadRecord:
        for name, place in self._wanted:
            if is_broken(cells[place]):
                return _bad(lines, f"column {brief(name)!r}: {self._not_text}")
        return {name: cells[place] or None for name, place in self._wanted}


def _bad(lines: list[_Line], why: str) -> BadRecord:
    first, last = lines[0].number, lines[-1].number
    place = f"line {first}" if first == last else f"lines {first} to {last}"
    return BadRecord(f"{place}: {why}.", "".join(line.text for line in lines).rstrip("\r\n"))
