"""Record by record through JSON lines, or a JSON array of objects."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from fuseline.data.sources.base import LineCounts, brief
from fuseline.data.sources.cells import Record, as_cell, is_broken, one_line
from fuseline.data.sources.table_file import (
    EMPTY,
    BadRecord,
    TableFile,
    broken,
    with_advice,
)
from fuseline.data.sources.text_files import (
    MAX_LINE_CHARACTERS,
    encoding_of,
    is_readable_as,
    is_utf8,
    other_encoding,
    text_lines,
)
from fuseline.errors import ContractError

# An array is in memory as a whole.
MAX_ARRAY_CHARACTERS = 1_000_000_000
# Digits beyond which Python refuses to make a number of them.
_MOST_DIGITS = 4000


class JsonlFile(TableFile):
    """One JSON object a line; blank lines do not count as records.

    `NaN` is a missing value and `Infinity` a number, as Python and pandas write them.
    """

    def found_columns(self) -> list[str]:
        """Keys of the objects, read until all wanted ones were seen: a sparse key may come late."""
        self._check_encoding()
        found: dict[str, None] = {}
        for record in self._told_objects():
            found.update(dict.fromkeys(record))
            if all(name in found for name in self.columns):
                break
        return list(found)

    def first_columns(self, rows: int) -> list[str]:
        self._check_encoding()
        found: dict[str, None] = {}
        for record in itertools.islice(self._told_objects(), rows):
            found.update(dict.fromkeys(record))
        return list(found)

    def notes(self) -> list[str]:
        is_plain = is_utf8(self._encoding)
        return [] if is_plain else [f"{self.path.name}: read as {self._encoding}."]

    def records(self) -> Iterator[Record | BadRecord]:
        self.lines = LineCounts()
        for number, line in enumerate(self._text(), 1):
            self.lines.all = number
            if not line.strip():
                self.lines.blank += 1
                continue
            record = _object(line, self._not_text)
            yield (
                _bad(line, number, record)
                if isinstance(record, str)
                else self._wanted(record, line, number)
            )

    @cached_property
    def _encoding(self) -> str:
        return encoding_of(self.path, self.encoding)

    @property
    def _not_text(self) -> str:
        return broken(self._encoding)

    def _text(self) -> Iterator[str]:
        return text_lines(self.path, self._encoding, newline="\n")

    def _wanted(self, record: dict[str, Any], line: str, number: int) -> Record | BadRecord:
        cells = {name: as_cell(record.get(name)) for name in self.columns}
        # Half a character comes of an escape; of other bytes that are no text, too.
        if "\\u" in line or is_broken(line):
            for name, cell in cells.items():
                if is_broken(json.dumps(cell, ensure_ascii=False, default=str)):
                    told = self._not_text if is_broken(line) else "holds half a character"
                    return _bad(line, number, f"column {brief(name)!r}: {told}")
        return cells

    def _told_objects(self) -> Iterator[dict[str, Any]]:
        """The objects alone; where there are none, an error that says why."""
        self._refuse_array()
        first_bad, good = None, False
        for number, line in enumerate(self._text(), 1):
            if not line.strip():
                continue
            record = _object(line, self._not_text)
            if not isinstance(record, str):
                good = True
                yield record
            elif first_bad is None:
                first_bad = _bad(line, number, record)
        if good:
            return
        if first_bad is None:
            raise ContractError(EMPTY.format(self.path))
        raise ContractError(
            f"{self.path}: expected JSON objects, found none: {with_advice(first_bad.detail)}"
        )

    def _refuse_array(self) -> None:
        """Refuse an array over several lines, whose last element alone would be read."""
        first = next((line.strip() for line in self._text() if line.strip()), "")
        if first == "[" or first.startswith("[{"):
            raise ContractError(
                f"{self.path}: expected one JSON object a line, found an array. An array is read"
                " from a file ending in .json: rename it."
            )

    def _check_encoding(self) -> None:
        """Refuse a file of another encoding; one that is damaged here and there loses rows alone.

        Only cells of the wanted columns count.
        """
        if is_readable_as(self.path, self._encoding) or self._encoding != self.encoding:
            return
        bad = good = 0
        for line in self._text():
            record = _object(line, self._not_text) if line.strip() else {}
            if isinstance(record, str):
                bad += record == self._not_text
                continue
            cells = [record.get(name) for name in self.columns or record]
            text = json.dumps(cells, ensure_ascii=False)
            bad += is_broken(text)
            good += not text.isascii() and not is_broken(text)
        if bad > good:
            raise other_encoding(self.path, self.encoding)


class JsonFile(JsonlFile):
    """A JSON array of objects; a file of one object a line is read as `JsonlFile` does.

    An array is one value, so that one with a fault in its JSON is refused as a whole; an element
    that is no object is one bad record.
    """

    def found_columns(self) -> list[str]:
        if not self._is_array:
            return super().found_columns()
        return self.first_columns(MAX_ARRAY_CHARACTERS)

    def first_columns(self, rows: int) -> list[str]:
        if not self._is_array:
            return super().first_columns(rows)
        if not is_readable_as(self.path, self._encoding):
            raise other_encoding(self.path, self.encoding)
        found: dict[str, None] = {}
        for place, (_, element) in enumerate(self._elements()):
            if place < rows and isinstance(element, dict):
                found.update(dict.fromkeys(element))
        return list(found)

    def records(self) -> Iterator[Record | BadRecord]:
        if not self._is_array:
            yield from super().records()
            return
        for number, element in self._elements():
            content = json.dumps(element)
            if isinstance(element, dict):
                yield self._wanted(element, content, number)
            else:
                yield _bad(content, number, "expected a JSON object")

    @cached_property
    def _is_array(self) -> bool:
        """Whether it is an array.

        Raises:
            ContractError: it is one object over several lines.
        """
        first = next((line for line in self._text() if line.strip()), "")
        if first.lstrip().startswith("[") or isinstance(_object(first, ""), dict) or not first:
            return first.lstrip().startswith("[")
        raise ContractError(
            f"{self.path}: expected a JSON array of objects, or one object a line, found"
            f" {brief(first.strip())!r}. Write the list of rows alone."
        )

    def _elements(self) -> Iterator[tuple[int, Any]]:
        """Every element of the array, with the line that it begins in.

        Raises:
            ContractError: the file is no JSON, or too large.
        """
        text = "".join(itertools.islice(self._text(), None))
        if len(text) > MAX_ARRAY_CHARACTERS:
            raise ContractError(
                f"{self.path}: expected an array of at most {MAX_ARRAY_CHARACTERS} characters,"
                f" found {len(text)}. Write one object a line, in a file ending in .jsonl."
            )
        decoder = json.JSONDecoder(strict=False, parse_int=_whole_number)
        place, line = _skip_space(text, text.index("[") + 1), 1
        counted = 0
        try:
            while text[place : place + 1] != "]":
                line += text.count("\n", counted, place)
                counted = place
                element, place = decoder.raw_decode(text, place)
                yield line, element
                place = _skip_space(text, place)
                if text[place : place + 1] not in (",", "]"):
                    raise json.JSONDecodeError("expected ',' or ']'", text, place)
                if text[place] == ",":
                    place = _skip_space(text, place + 1)
            if text[place + 1 :].strip():
                raise json.JSONDecodeError("more data behind the array", text, place + 1)
        except (ValueError, RecursionError) as error:
            raise ContractError(
                f"{self.path}: not readable as JSON: {one_line(error)}. Write the file again."
            ) from None


def _skip_space(text: str, place: int) -> int:
    while text[place : place + 1].isspace():
        place += 1
    return place


def _object(line: str, not_text: str) -> dict[str, Any] | str:
    """The object of a line, or what is wrong with the line."""
    if len(line) > MAX_LINE_CHARACTERS:
        return f"longer than {MAX_LINE_CHARACTERS} characters"
    try:
        value = json.loads(line, strict=False)
    except (ValueError, RecursionError) as error:
        value = _with_long_numbers(line)
        if value is None:
            return not_text if is_broken(line) else f"not readable as JSON: {one_line(error)}"
    return value if isinstance(value, dict) else "expected a JSON object"


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) < _MOST_DIGITS else digits


def _with_long_numbers(line: str) -> Any:
    """The value of a line that holds whole numbers of thousands of digits, as texts; else None."""
    try:
        return json.loads(line, strict=False, parse_int=_whole_number)
    except (ValueError, RecursionError):
        return None


def _bad(line: str, number: int, detail: str) -> BadRecord:
    shown = line.rstrip("\r\n").encode("utf-8", "replace").decode()
    return BadRecord(f"line {number}: {detail}.", shown)
