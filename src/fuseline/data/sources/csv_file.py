"""Record by record through a CSV or TSV file, line by line accounted for."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cached_property

from fuseline.data.sources.base import LineCounts
from fuseline.data.sources.cells import Record, is_broken
from fuseline.data.sources.csv_reading import Dialect, Lines, Reading
from fuseline.data.sources.csv_shape import (
    SEPARATOR_LINE,
    SEPARATORS,
    RowShape,
    first_lines,
    reader,
    separator_of,
    well_formed,
    without_spaces,
)
from fuseline.data.sources.table_file import EMPTY, BadRecord, TableFile, broken
from fuseline.data.sources.text_files import (
    encoding_of,
    is_readable_as,
    is_utf8,
    other_encoding,
    text_lines,
)
from fuseline.errors import ContractError

# A header of so many words, or of a number, is more likely a row.
_HEADER_WORDS = 6


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
        lines = Lines(self._text())
        for _ in range(dialect.header_lines):
            next(lines)
        yield from Reading(self.columns, dialect, lines, self.lines, self._encoding).records()

    @cached_property
    def _encoding(self) -> str:
        return encoding_of(self.path, self.encoding)

    def _text(self) -> Iterator[str]:
        return text_lines(self.path, self._encoding, newline="")

    @cached_property
    def _dialect(self) -> Dialect:
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
        lines = Lines(iter([without_spaces(first[skipped], separator), *first[skipped + 1 :]]))
        try:
            names = next(reader(lines, separator, spaced=True))
        except csv.Error as error:
            raise ContractError(f"{self.path}: the header is not readable: {error}.") from None
        header_lines = skipped + lines.count
        sample = first[header_lines:]
        plain, spaced = (
            well_formed(sample, separator, len(names), spaced=skip) for skip in (False, True)
        )
        return Dialect(
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
