"""What the lines of a CSV file look like: its separator, and whether a line reads like a row."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

SEPARATORS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
# Excel's first line that names the separator.
SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)

# The longest cell. A quote left open swallows what follows up to this length.
FIELD_CHARACTERS = 4_000_000

# Lines from which it is learnt what a row looks like.
SAMPLE_LINES = 1000
SAMPLE_CHARACTERS = 8_000_000
# Fewer rows than these tell nothing of a column's values.
_LEAST_ROWS = 8
# A column with at most one value for as many rows is one of names, such as labels.
_ROWS_PER_NAME = 4
# How many of some lines have to look like rows, for all of them to be rows.
_SHARE = 0.8
# How many lines that only have as many separators as rows have are no chance.
_LEAST_PLAIN_LINES = 4
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class RowShape:
    """Whether lines look like rows, each by itself, whatever quotes they hold.

    A line does where it has as many cells as the header, and where each cell of a column of
    names or numbers is one.

    Args:
        sample: the file's first lines behind its header.
        separator: between cells.
        num_cells: of the header.
    """

    def __init__(self, sample: Sequence[str], separator: str, num_cells: int) -> None:
        self._separator, self._num_cells = separator, num_cells
        # A line with a quote open is half a record: where it ends, no cell ends.
        whole = [line for line in sample if line.count('"') % 2 == 0]
        rows = [cells for line in whole if (cells := self._cells(line))]
        self._names: dict[int, Counter[str]] = {}
        # Places of columns of numbers, and whether a cell may be empty there.
        self._numbers: dict[int, bool] = {}
        if len(rows) >= _LEAST_ROWS:
            for place, column in enumerate(zip(*rows, strict=True)):
                self._learn(place, column)

    def _learn(self, place: int, column: Sequence[str]) -> None:
        values = Counter(column)
        if set(values) == {""}:
            return
        if len(values) <= len(column) // _ROWS_PER_NAME:
            self._names[place] = values
        elif sum(map(_is_number, column)) >= 0.95 * len(column):
            self._numbers[place] = "" in values

    def are_rows(self, lines: Sequence[str]) -> bool:
        """Whether nearly all of some lines look like rows, and that is no chance."""
        if self._num_cells < 2 or not lines:
            return False
        if not self._is_telling and len(lines) < _LEAST_PLAIN_LINES:
            return False
        return sum(map(self._fits, lines)) >= _SHARE * len(lines)

    def hold_rows(self, lines: Sequence[str]) -> bool:
        """Whether the lines of one record are several rows or parts of them.

        Where columns of names or numbers tell, one row between the first and the last line is
        enough, or that both of these are, or that the first is one with such a name behind its
        open quote: the end of a cell's first line would have to be one by chance.
        """
        if self._num_cells < 2:
            return False
        if not self._is_telling:
            return self.are_rows(lines)
        first, *inner, last = lines
        if any(map(self._fits, inner)):
            return True
        return self._fits(first) and (self._fits(last) or self._goes_on_behind_quote(first))

    def _goes_on_behind_quote(self, line: str) -> bool:
        """Whether a name that other lines have too stands behind the quote that a line leaves
        open; not where a space is before a cell, as in prose."""
        opened = len(next(csv.reader([line], delimiter=self._separator))) - 1
        cells = line.rstrip("\r\n").split(self._separator)
        if any(cell.startswith(" ") for cell in cells[opened + 1 :]):
            return False
        behind = [place for place in self._names if place > opened]
        return any(cells[place] and self._names[place][cells[place]] > 1 for place in behind)

    @property
    def _is_telling(self) -> bool:
        return bool(self._names or self._numbers)

    def are_names(self, cells: Sequence[str]) -> bool:
        """Whether one of a row's cells is a name that others have in the same place."""
        return any(cells[place] in names for place, names in self._names.items())

    def _fits(self, line: str) -> bool:
        cells = self._cells(line)
        return (
            cells is not None
            and all(cells[place] in names for place, names in self._names.items())
            and all(
                _is_number(cells[place]) and (bool(cells[place]) or may_be_empty)
                for place, may_be_empty in self._numbers.items()
            )
        )

    def _cells(self, line: str) -> list[str] | None:
        cells = line.rstrip("\r\n").split(self._separator)
        if len(cells) != self._num_cells:
            return None
        return [cell.strip().strip('"') for cell in cells]


def _is_number(cell: str) -> bool:
    return not cell or _NUMBER.fullmatch(cell) is not None


def first_lines(lines: Iterable[str]) -> list[str]:
    """As many lines as tell how a file is written."""
    first: list[str] = []
    size = 0
    for line in itertools.islice(lines, SAMPLE_LINES):
        first.append(line)
        size += len(line)
        if size > SAMPLE_CHARACTERS:
            break
    return first


def reader(lines: Iterable[str], separator: str, *, spaced: bool = False) -> Iterator[list[str]]:
    """Python's reader of CSV, where `spaced` without the spaces behind a separator."""
    csv.field_size_limit(FIELD_CHARACTERS)
    return csv.reader(lines, strict=True, delimiter=separator, skipinitialspace=spaced)


def separator_of(lines: Sequence[str], usual: str) -> str:
    """The separator that makes most rows of the lines, as long as the header.

    Args:
        lines: the first of the file, its header among them.
        usual: what the file's name promises; it stands where nothing speaks for another.
    """
    cells = {separator: len(_header(lines, separator)) for separator in SEPARATORS}
    parting = [separator for separator in SEPARATORS if cells[separator] > 1]
    if not parting or (usual in parting and len(lines) == 1):
        return usual
    if len(lines) == 1:
        return max(parting, key=lambda name: cells[name])
    rows = {name: well_formed(lines[1:], name, cells[name]) for name in parting}
    best = max(parting, key=lambda name: (rows[name], cells[name], name == usual))
    return best if rows[best] else usual


def well_formed(
    lines: Sequence[str], separator: str, num_cells: int, *, spaced: bool = False
) -> int:
    """How many records of the lines have so many cells."""
    count, rows = 0, reader(lines, separator, spaced=spaced)
    while True:
        try:
            cells = next(rows)
            count += len(cells) == num_cells and not has_spaced_quote(cells)
        except StopIteration:
            return count
        except csv.Error:
            continue


def read_alone(line: str, num_cells: int, separator: str) -> list[str] | None:
    """The cells of a line that is no row as the file is read, but one as people write them.

    Spaces may stand around quoted cells; between tabs, which no text holds, a quote is a quote.
    None where it has not so many cells.
    """
    try:
        cells = next(reader([without_spaces(line, separator)], separator), [])
    except csv.Error:
        cells = []
    if len(cells) != num_cells and separator == "\t":
        cells = line.rstrip("\r\n").split("\t")
    return cells if len(cells) == num_cells else None


def without_spaces(line: str, separator: str) -> str:
    """The line without the spaces around its quoted cells."""
    mark = re.escape(separator)
    quoted = rf'(^|{mark})[ \t]*("(?:[^"]|"")*")[ \t]*(?={mark}|\r?\n?$)'
    return re.sub(quoted, r"\1\2", line)


def has_spaced_quote(cells: Sequence[str]) -> bool:
    """Whether a cell holds the quotes around it, since a space stands before them."""
    return any(cell[:1] == " " and cell.lstrip(" ")[:1] == '"' for cell in cells)


def _header(lines: Sequence[str], separator: str) -> list[str]:
    try:
        return next(reader([without_spaces(lines[0], separator), *lines[1:]], separator), [])
    except csv.Error:
        return []
