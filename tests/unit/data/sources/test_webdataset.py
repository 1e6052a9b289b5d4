from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuseline.data.sources.base import Media, RawRow
from fuseline.data.sources.webdataset import WebDatasetSource
from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]
Open = Callable[..., WebDatasetSource]
SAMPLE = {"jpg": b"picture", "txt": b"words\r\n", "cls": b"3\n"}


def pack(path: Path, members: list[tuple[str, bytes]], *links: tuple[str, bytes]) -> Path:
    """A tar file of members, and of links and devices by their type."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, kind in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/hosts"
            tar.addfile(member)
    return path


def sample(key: str, **content: bytes) -> list[tuple[str, bytes]]:
    return [(f"{key}.{ending}", value) for ending, value in (SAMPLE | content).items()]


@pytest.fixture
def open_source(build_params: Build, tmp_path: Path) -> Open:
    def source(path: Any = tmp_path, **columns: Any) -> WebDatasetSource:
        return WebDatasetSource(build_params(webdataset={"path": str(path), "columns": columns}))

    return source


def reasons(row: RawRow) -> list[str]:
    return [problem.reason for problem in row.problems]


def test_members_of_a_name_are_a_row(open_source: Open, tmp_path: Path) -> None:
    pack(tmp_path / "0.tar", [*sample("a/one"), *sample("./a/two", cls=b"4"), ("notes", b"")])
    first, second, third = open_source().rows()
    assert (first.example_id, first.text, first.label) == ("a/one", "words", "3")
    assert first.image == Media(b"picture", "one.jpg")
    assert (second.example_id, second.label) == ("a/two", "4")
    assert (third.example_id, third.image, third.text) == ("notes", None, None)


def test_shards_are_batches_in_order_of_their_numbers(open_source: Open, tmp_path: Path) -> None:
    for number in (10, 9):
        pack(tmp_path / f"shard-{number}.tar", sample(str(number)))
    rows = list(open_source().rows())
    assert [(row.example_id, row.batch, row.source_row) for row in rows] == [
        ("9", 0, 0),
        ("10", 1, 1),
    ]


def test_first_ending_that_is_there_counts(open_source: Open, tmp_path: Path) -> None:
    pack(tmp_path / "0.tar", [("a.PNG", b"png"), ("a.Jpg", b"jpg"), ("a.cls", b"x")])
    (row,) = open_source(image="jpg;png").rows()
    assert row.image == Media(b"jpg", "a.jpg")
    (row,) = open_source(image="png;jpg").rows()
    assert row.image == Media(b"png", "a.png")


def test_keys_of_json_are_cells(open_source: Open, tmp_path: Path) -> None:
    content = b'{"caption": "hi", "age": 4.50, "kind": 2, "empty": "", "deep": [1]}'
    pack(tmp_path / "0.tar", sample("a", json=content))
    columns: dict[str, Any] = {
        "id": "json.kind",
        "text": "json.caption",
        "tabular": ["json.age", "json.empty", "json.never"],
    }
    (row,) = open_source(**columns).rows()
    assert (row.example_id, row.text) == ("2", "hi")
    assert row.tabular == {"json.age": "4.5", "json.empty": None, "json.never": None}
    (row,) = open_source(text="json.deep").rows()
    assert row.problems[0].detail == "column 'json.deep': expected text, found list."


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ({"json": b"{"}, "'.json' is not readable: "),
        ({"json": b"[1]"}, "'.json' is not readable: expected a JSON object."),
        ({"json": b'{"a": "\\ud800"}'}, "half a character"),
        ({"json": b"[" * 100_000}, "'.json' is not readable: "),
        ({"txt": b"\xff"}, "'.txt' is not valid UTF-8."),
    ],
)
def test_bad_member_is_a_problem_among_good_rows(
    open_source: Open, tmp_path: Path, content: dict[str, bytes], detail: str
) -> None:
    good = {"json": b'{"a": "x"}'}
    members = [*sample("0", **good), *sample("1", **content), *sample("2", **good)]
    pack(tmp_path / "0.tar", members)
    rows = list(open_source(lang="json.a").rows())
    assert [reasons(row) for row in rows] == [[], ["malformed_row"], []]
    assert detail in rows[1].problems[0].detail
    assert rows[1].example_id == "1"


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", "b/../../a.jpg", "C:\\a.jpg"])
def test_names_that_lead_out_are_unsafe(open_source: Open, tmp_path: Path, name: str) -> None:
    pack(tmp_path / "0.tar", [*sample("0"), (name, b"picture")])
    rows = list(open_source().rows())
    assert [reasons(row) for row in rows] == [[], ["unsafe_path"]]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_unsafe(open_source: Open, tmp_path: Path, kind: bytes) -> None:
    pack(tmp_path / "0.tar", sample("0"), ("0.png", kind))
    (row,) = open_source().rows()
    assert reasons(row) == ["unsafe_path"]
    assert row.image is None


def test_folders_and_hidden_files_are_left_out(open_source: Open, tmp_path: Path) -> None:
    members = [*sample("0"), ("._0.jpg", b"fork"), ("a/.DS_Store", b"")]
    pack(tmp_path / "0.tar", members, ("a", tarfile.DIRTYPE))
    assert [row.example_id for row in open_source().rows()] == ["0"]


def test_long_text_is_not_read(open_source: Open, tmp_path: Path) -> None:
    pack(tmp_path / "0.tar", [*sample("0", txt=b"x" * 80_001), *sample("1")])
    assert [reasons(row) for row in open_source().rows()] == [["oversized_text"], []]


def test_large_media_are_not_read(open_source: Open, tmp_path: Path) -> None:
    path = pack(tmp_path / "0.tar", sample("0"))
    large = tarfile.TarInfo("1.jpg")
    large.size = 10**12
    with path.open("r+b") as file:
        file.seek(3 * 1024)
        file.write(large.tobuf())
        file.truncate(10**12 + 20_480)  # a hole: it takes no room, but could not be read
    rows = open_source().rows()
    assert [reasons(next(rows))] == [[]]


def test_pickles_are_never_decoded(open_source: Open, tmp_path: Path) -> None:
    pack(tmp_path / "0.tar", sample("0", pyd=b"cos\nsystem\n(S'false'\ntR.", pth=b"x"))
    (row,) = open_source().rows()
    assert reasons(row) == []
    with pytest.raises(ConfigError, match=r"columns\.text: members ending in pyd are never"):
        open_source(text="txt;pyd")


def test_sample_that_comes_again_has_the_same_id(open_source: Open, tmp_path: Path) -> None:
    pack(tmp_path / "0.tar", [*sample("0"), *sample("1"), ("0.png", b"late")])
    assert [row.example_id for row in open_source().rows()] == ["0", "1", "0"]


def test_member_that_is_there_twice_is_a_problem(open_source: Open, tmp_path: Path) -> None:
    pack(tmp_path / "0.tar", [*sample("0"), ("0.jpg", b"other")])
    (row,) = open_source().rows()
    assert row.problems[0].detail == "'0.jpg' is there twice."


def test_truncated_file_gives_the_rows_before_and_one_problem(
    open_source: Open, tmp_path: Path
) -> None:
    path = pack(tmp_path / "0.tar", [pair for row in range(4) for pair in sample(str(row))])
    pack(tmp_path / "1.tar", sample("later"))
    whole = path.read_bytes()
    # Wherever it is cut, all but the last row are as they were, and the next shard follows.
    for length in range(3 * 1024, 12 * 1024 + 512, 100):
        path.write_bytes(whole[:length])
        *rows, last, later = open_source().rows()
        assert [row.example_id for row in rows] == [str(row) for row in range(len(rows))]
        assert all(not row.problems for row in rows)
        assert reasons(last) == ["malformed_row"]
        assert last.problems[0].detail.startswith("The tar file breaks off here: ")
        assert (later.example_id, later.problems) == ("later", ())


def test_damaged_header_ends_the_shard_and_is_told(open_source: Open, tmp_path: Path) -> None:
    path = pack(tmp_path / "0.tar", [pair for row in range(4) for pair in sample(str(row))])
    content = bytearray(path.read_bytes())
    content[6 * 1024 : 6 * 1024 + 512] = b"\x01" * 512
    path.write_bytes(content)
    rows = list(open_source().rows())
    assert [reasons(row) for row in rows] == [[], ["malformed_row"]]
    assert "a header is not readable" in rows[1].problems[0].detail
    content[6 * 1024 : 6 * 1024 + 512] = bytes(512)
    path.write_bytes(content)
    assert "more data follows" in list(open_source().rows())[-1].problems[0].detail


def test_header_that_would_fill_the_memory_is_not_read(open_source: Open, tmp_path: Path) -> None:
    path = pack(tmp_path / "0.tar", sample("0"))
    bomb = tarfile.TarInfo("bomb")
    bomb.type, bomb.size = tarfile.XHDTYPE, 10**10
    with path.open("r+b") as file:
        file.seek(3 * 1024)
        file.write(bomb.tobuf(tarfile.GNU_FORMAT))
        file.truncate(10**10)
    (row,) = open_source().rows()
    assert "a header of 10000000000 bytes" in row.problems[0].detail


def test_endings_that_no_sample_has_are_a_slip(open_source: Open, tmp_path: Path) -> None:
    pack(tmp_path / "0.tar", sample("0"))
    with pytest.raises(
        ConfigError,
        match=r"columns\.label: expected members ending in 'lbl', found none .* in cls, jpg, txt",
    ):
        open_source(label="lbl")
    with pytest.raises(ConfigError, match=r"columns\.tabular: .*'json\.age'"):
        open_source(tabular=["json.age"])
    with pytest.raises(ConfigError, match=r"columns\.image: .*'webp'"):
        open_source(text=None, image="webp", audio=None, video=None)


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b" + bytes(2000)])
def test_what_is_no_tar_file_is_refused(open_source: Open, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.tar").write_bytes(content)
    with pytest.raises(ContractError, match=r"0\.tar: not readable as a tar file"):
        open_source()


@pytest.mark.parametrize(
    "keys",
    [
        ["1.5", "1.6", "2.0"],
        ["photo.v1", "photo.v2", "other.v1"],
        ["a.b.c", "a.b.d", "x"],
        ["2024.01.01/a.1", "2024.01.01/a.2", "2024.01.02/a.1"],
        ["img.jpg.1", "img.jpg.2", "img.png.3"],
    ],
)
def test_keys_may_have_dots(open_source: Open, tmp_path: Path, keys: list[str]) -> None:
    # All of the last kind of key have a dot in their base name.
    dotted = [key for key in keys if "." in key.rpartition("/")[2]]
    pack(tmp_path / "0.tar", [member for key in dotted for member in sample(key)])
    source = open_source()
    rows = list(source.rows())
    assert [row.example_id for row in rows] == dotted
    assert all(row.image and row.text == "words" and row.label == "3" for row in rows)
    assert source.notes == ["The keys of the samples have dots: each goes up to a known ending."]


def test_endings_of_two_parts_stay_what_they_are(open_source: Open, tmp_path: Path) -> None:
    members = [("a.depth.png", b"d"), *sample("a"), ("a.seg.png", b"s"), *sample("b")]
    pack(tmp_path / "0.tar", members)
    first, second = open_source().rows()
    assert (first.example_id, second.example_id) == ("a", "b")
    assert first.image == Media(b"picture", "a.jpg")
    (row, _) = open_source(image="seg.png").rows()
    assert row.image == Media(b"s", "a.seg.png")


def test_a_key_with_a_dot_among_others_is_told(open_source: Open, tmp_path: Path) -> None:
    pack(tmp_path / "0.tar", [*sample("a"), *sample("b.v2"), *sample("c")])
    first, second, third = open_source().rows()
    assert (first.example_id, third.example_id) == ("a", "c")
    assert second.problems[0].detail == (
        "the key 'b' ends at the first dot, so that a member ends in 'v2.jpg': name the members"
        " without another dot."
    )
