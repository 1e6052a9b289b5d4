"""Every line of a CSV file ends as a row, as part of one, as a bad record, or as a blank line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseline.data.sources.csv_file import CsvFile
from fuseline.data.sources.manifest_files import open_table
from fuseline.data.sources.table_file import BadRecord
from fuseline.errors import ContractError

Read = Callable[..., tuple[list[list[str | None]], list[BadRecord]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a table and read it: the cells of its rows, and its bad records."""

    def run(content: str | bytes, name: str = "rows.csv") -> tuple[list[list[str | None]], list]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        file = open_table(path, [])
        file.columns = file.found_columns()
        records = list(file.records())
        bad = [record for record in records if isinstance(record, BadRecord)]
        assert file.lines is not None
        assert file.lines.rows == len(records)
        assert all(record.detail.endswith(".") for record in bad)
        return [list(record.values()) for record in records if isinstance(record, dict)], bad

    return run


def _rows(start: int, end: int, separator: str = ",") -> list[str]:
    moods = ["good", "bad", "dull"]
    return [f"{n}{separator}words of row {n}{separator}{moods[n % 3]}" for n in range(start, end)]


HEADER = "id,text,label"


def _opened(line: str) -> str:
    """The line with a quote that begins its text and does not end there."""
    return line.replace("words", '"words')


def _closed(line: str) -> str:
    number, text, label = line.split(",")
    return f'{number},{text}",{label}'


def _texts(bad: list[BadRecord]) -> list[str]:
    return [record.content for record in bad]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("first", "last"), [(100, 200), (20, 22), (20, 21), (0, 5), (290, 299)])
def test_rows_that_an_opened_quote_swallows_are_refused_one_by_one(
    read: Read, first: int, last: int, end: str
) -> None:
    rows = _rows(0, 300)
    rows[first], rows[last] = _opened(rows[first]), _closed(rows[last])
    kept, bad = read(end.join([HEADER, *rows, ""]))
    assert _texts(bad) == rows[first : last + 1]
    assert len(kept) == 300 - len(bad)
    # The header is line 1.
    assert bad[0].detail.startswith(f"line {first + 2}: lines {first + 2} to {last + 2} are one ")
    assert bad[-1].detail.startswith(f"line {last + 2}: ")


@pytest.mark.parametrize(
    "last",
    ['21,words, and more of row 21",bad', '21,words of row 21""",bad', 'words of row 21",bad'],
)
def test_a_row_before_a_damaged_one_is_told_by_what_stands_behind_its_open_quote(
    read: Read, last: str
) -> None:
    rows = _rows(0, 60)
    rows[20], rows[21] = _opened(rows[20]), last
    kept, bad = read("\n".join([HEADER, *rows, ""]))
    assert _texts(bad) == rows[20:22]
    assert len(kept) == 58


@pytest.mark.parametrize(
    "row",
    [
        'good,"words\nand more"',
        'good,"words, bad\nand more"',
        '"go\nod",words',
    ],
)
def test_what_stands_before_an_open_quote_makes_no_row(read: Read, row: str) -> None:
    rows = [f"{'good' if n % 2 else 'bad'},words of row {n}" for n in range(40)]
    rows[20] = row
    kept, bad = read("\n".join(["label,text", *rows, ""]))
    assert bad == []
    assert len(kept) == 40


@pytest.mark.parametrize(
    "closing",
    [
        '{n},"words, with commas",good',
        '{n},"words" and more,good',
        '{n},words and "more",good',
        '{n},"two\nlines",good',
    ],
)
def test_reading_goes_on_behind_a_quote_that_cannot_be_meant(read: Read, closing: str) -> None:
    rows = _rows(0, 60)
    rows[20], rows[40] = _opened(rows[20]), closing.format(n=40)
    kept, bad = read("\n".join([HEADER, *rows, ""]))
    assert rows[20] in _texts(bad)
    assert set(_texts(bad)) <= {rows[20], rows[40]}
    assert [cells[0] for cells in kept if cells[0] != "40"] == [
        str(n) for n in range(60) if n not in (20, 40)
    ]


@pytest.mark.parametrize("place", [0, 1, 30, 57, 58, 59])
def test_a_quote_that_is_never_closed_costs_its_own_row(read: Read, place: int) -> None:
    rows = _rows(0, 60)
    rows[place] = _opened(rows[place])
    kept, bad = read("\n".join([HEADER, *rows]))
    assert _texts(bad) == [rows[place]]
    assert len(kept) == 59


def test_each_of_several_open_quotes_costs_its_own_row(read: Read) -> None:
    rows = _rows(0, 90)
    for place in (10, 30, 31, 70):
        rows[place] = _opened(rows[place])
    kept, bad = read("\n".join([HEADER, *rows, ""]))
    assert len(kept) + len(bad) == 90
    assert {rows[place] for place in (10, 30, 31, 70)} <= set(_texts(bad))
    assert all("\n" not in (text or "") for _, text, _ in kept)


@pytest.mark.parametrize(
    "cell",
    [
        "one\ntwo",
        "one, two\nthree, four\nfive, six",
        "Dear all,\n\nmany, many thanks,\nyours\n",
        "a poem\r\nof lines\r\n",
        "\n\n",
        "x\n" * 300,
        'he said ""yes, no""\nand went',
        "1,2\n3,4\n",
        "It was, good\nbut long",
    ],
)
def test_a_cell_of_several_lines_stays_whole(read: Read, cell: str) -> None:
    rows = _rows(0, 40)
    rows[10:10] = [f'77,"{cell}",good']
    kept, bad = read("\n".join([HEADER, *rows, ""]))
    assert bad == []
    assert kept[10] == ["77", cell.replace('""', '"'), "good"]
    assert len(kept) == 41


def test_few_rows_of_plain_texts_are_no_proof(read: Read) -> None:
    kept, bad = read('title,body\na,b\nc,"d, e\nf, g\nh"\ni,k\n')
    assert bad == []
    assert kept[1] == ["c", "d, e\nf, g\nh"]


def test_rows_of_plain_texts_are_told_by_their_number(read: Read) -> None:
    lines = [f"title {n},body {n}" for n in range(30)]
    lines[10], lines[20] = 'title 10,"body 10', 'title 20,body 20"'
    kept, bad = read("\n".join(["title,body", *lines, ""]))
    assert _texts(bad) == lines[10:21]
    assert len(kept) == 19


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('1, "Great, cheap", pos', ["1", "Great, cheap", "pos"]),
        ('1 , "Great, cheap" , pos', ["1 ", "Great, cheap", " pos"]),
        ('1,\t"Great, cheap",pos', ["1", "Great, cheap", "pos"]),
        ('"1", "Great ""and"" cheap", "pos"', ["1", 'Great "and" cheap', "pos"]),
        ('1,"Great, cheap" ,pos', ["1", "Great, cheap", "pos"]),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_spaces_around_quoted_cells(read: Read, line: str, cells: list[str], alone: bool) -> None:
    others = _rows(0, 0 if alone else 30)
    kept, bad = read("\n".join(["id, text , label", *others, line, ""]))
    assert bad == []
    assert [cell and cell.strip() for cell in kept[-1]] == [cell.strip() for cell in cells]


def test_texts_of_several_lines_stay_rows(read: Read) -> None:
    """The part of a text behind its comma is no name of a label."""
    rows = [f'{row},"first, of {row}\nthen more",good' for row in range(30)]
    kept, bad = read("\n".join(["id,text,label", *_rows(30, 60), *rows, ""]))
    assert (len(kept), bad) == (60, [])
    rows = [f'"so, it is\n{row}",{("good", "bad")[row % 2]}' for row in range(30)]
    kept, bad = read("\n".join(["text,label", *rows, ""]))
    assert (len(kept), bad) == (30, [])


def test_names_of_columns_have_no_spaces_around_them(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('id, "text" , label \n1, "a, b", c\n')
    file = CsvFile(tmp_path / "rows.csv", ["text"])
    assert file.found_columns() == ["id", "text", "label"]
    assert list(file.records()) == [{"text": "a, b"}]
    assert file.notes() == ["rows.csv: spaces between a separator and a quote are skipped."]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "ROWS.CSV.GZ", "rows.tsv.gz"])
@pytest.mark.parametrize("mark", ["", "\ufeff", "sep"])
def test_the_separator_is_found(tmp_path: Path, separator: str, name: str, mark: str) -> None:
    lines = [separator.join(["id", "text", "label"]), *_rows(0, 9, separator)]
    if mark == "sep":
        lines.insert(0, f"sep={separator}")
    content = ("\n".join(lines)).removeprefix("sep" if not mark else "")
    content = mark * (mark != "sep") + content
    packed = gzip.compress(content.encode()) if name.lower().endswith("gz") else content.encode()
    (tmp_path / name).write_bytes(packed)
    file = open_table(tmp_path / name, ["label"])
    assert file.found_columns() == ["id", "text", "label"]
    assert len([record for record in file.records() if isinstance(record, dict)]) == 9
    usual = "\t" if ".tsv" in name else ","
    assert bool(file.notes()) == (separator != usual)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("name;price, EUR;label\na;1,5;x\nb;2,0;y\n", ["name", "price, EUR", "label"]),
        ("a|b,c;d\nhello,x\n", ["a|b", "c;d"]),
        ("text;more\nno such thing\nnor here\n", ["text;more"]),
        ("text\nwith, commas\nand; such\n", ["text"]),
        ('"a;b",c\n"1;2",3\n', ["a;b", "c"]),
    ],
)
def test_the_separator_is_the_one_that_makes_rows(
    tmp_path: Path, content: str, columns: list[str]
) -> None:
    (tmp_path / "rows.csv").write_text(content)
    assert CsvFile(tmp_path / "rows.csv", []).found_columns() == columns


@pytest.mark.parametrize(
    "line", ['1\t"Hello", she said\tgood', '1\t5" pipe\tgood', '1\t"open\tgood', '1\t"\tgood']
)
def test_a_quote_between_tabs_is_a_quote(read: Read, line: str) -> None:
    rows = _rows(0, 30, "\t")
    rows[10] = line
    kept, bad = read("\n".join([HEADER.replace(",", "\t"), *rows, ""]), "rows.tsv")
    assert bad == []
    assert kept[10] == line.split("\t")
    assert len(kept) == 30


def test_blank_lines_are_counted_and_are_no_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('a,b\n\n1,2\n  \n"x\n\ny",3\n\n\n,\n')
    file = CsvFile(tmp_path / "rows.csv", ["a"])
    assert [record["a"] for record in file.records() if isinstance(record, dict)] == [
        "1",
        "x\n\ny",
        None,
    ]
    assert file.lines is not None
    assert (file.lines.all, file.lines.header, file.lines.blank, file.lines.further) == (
        10,
        1,
        4,
        2,
    )


def test_a_record_of_several_lines_with_too_many_cells_is_one_bad_record(read: Read) -> None:
    kept, bad = read('id,text,label\n1,"a\nb\nc",x,y\n2,d,x\n')
    assert _texts(bad) == ['1,"a\nb\nc",x,y']
    assert bad[0].detail == "lines 2 to 4: expected 3 cells, found 4."
    assert kept == [["2", "d", "x"]]


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("good,A sentence of some twelve words that is certainly no name of any column", True),
        ("good,words", True),
        ("3,words", True),
        ("mood,sentence", False),
    ],
)
def test_a_first_line_that_looks_like_a_row_is_told(tmp_path: Path, first: str, told: bool) -> None:
    rows = [f"{'good' if n % 2 else 'bad'},words of row {n}" for n in range(12)]
    (tmp_path / "rows.csv").write_text("\n".join([first, *rows]))
    file = CsvFile(tmp_path / "rows.csv", [])
    file.found_columns()
    expected = (
        " Line 1 looks like a row, not like names of columns: put a line of 2 names above it, such"
        " as 'column_1,column_2', and map those."
    )
    assert file.without_header() == (expected if told else "")


def test_a_fault_in_a_column_that_nobody_mapped_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"text,other\na,caf\xe9\nb,\xff\n")
    file = CsvFile(tmp_path / "rows.csv", ["text"])
    assert file.found_columns() == ["text", "other"]
    assert list(file.records()) == [{"text": "a"}, {"text": "b"}]


def test_an_open_quote_in_the_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('"text,label\na,x\n')
    with pytest.raises(ContractError, match="the header is not readable"):
        CsvFile(tmp_path / "rows.csv", []).found_columns()
