from __future__ import annotations

from pathlib import Path

import pytest

from fuseline.data.sources.manifest_files import open_table
from fuseline.data.sources.table_file import BadRecord
from fuseline.errors import ContractError


def test_columns_go_by_their_places(tmp_path: Path) -> None:
    file = tmp_path / "movies.dat"
    file.write_text("1::Ants (1998)::Animation|Comedy\n\n2:: Bees ::\n", encoding="utf-8")
    table = open_table(file, ["1", "3"])
    assert table.found_columns() == ["1", "2", "3"]
    assert list(table.records()) == [{"1": "1", "3": "Animation|Comedy"}, {"1": "2", "3": None}]


@pytest.mark.parametrize(("name", "line"), [("u.data", "196\t242\t3"), ("u.item", "196|242|3")])
def test_the_ending_tells_the_separator(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / name).write_text(line)
    assert list(open_table(tmp_path / name, ["2"]).records()) == [{"2": "242"}]


def test_lines_of_another_width_or_encoding_are_told_of(tmp_path: Path) -> None:
    file = tmp_path / "ratings.dat"
    file.write_bytes(b"1::2::3\n1::2\n\xff::2::3\n4::5::6")
    good, short, broken, last = open_table(file, ["1"]).records()
    assert (good, last) == ({"1": "1"}, {"1": "4"})
    assert isinstance(short, BadRecord) and isinstance(broken, BadRecord)
    assert short.detail == "Line 2 of ratings.dat has 2 cells, the first 3."
    assert "Line 3" in broken.detail and "UTF-8" in broken.detail


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("\n")
    with pytest.raises(ContractError, match="empty file"):
        open_table(tmp_path / "ratings.dat", ["1"]).found_columns()
