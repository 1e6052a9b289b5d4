"""Encodings are told by a mark or named by a param; what reads every row is offered."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseline.data.sources import text_files
from fuseline.data.sources.base import RawRow
from fuseline.data.sources.manifest import ManifestSource
from fuseline.errors import ContractError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]
Write = Callable[[str, bytes], Callable[..., list[RawRow]]]


@pytest.fixture
def write(build_params: Build, tmp_path: Path) -> Write:
    """Write a table; what is returned reads it, with another encoding where one is given."""

    def writing(name: str, content: bytes) -> Callable[..., list[RawRow]]:
        path = tmp_path / name
        path.write_bytes(content)

        def read(**changes: str) -> list[RawRow]:
            columns = {"image": None, "label": None}
            manifest = {"path": str(path), "columns": columns, **changes}
            return list(ManifestSource(build_params(manifest=manifest)).rows())

        return read

    return writing


FRENCH = ["Le café est à côté", "déjà vu", "plain"]
TEXTS = {
    "cp1252": FRENCH,
    "iso-8859-1": ["Größe und Maß", "plain"],
    "cp1250": ["zażółć gęślą jaźń", "pchnąć w tę łódź jeża lub ośm skrzyń fig", "plain"],
    "cp1251": ["Привет, как дела? Всё хорошо, спасибо", "Это предложение на русском языке"],
    "shift_jis": ["これは日本語のテキストです", "東京は日本の首都です"],
    "gb18030": ["这是一个中文文本，测试编码", "北京是中国的首都"],
}
SPELLED = {"cp1252": "cp1252", "iso-8859-1": "cp1252", "shift_jis": "cp932"}


def _csv(texts: list[str]) -> str:
    return "\n".join(["text,label", *(f'"{text}",x' for text in texts), ""])


def _jsonl(texts: list[str]) -> str:
    return "\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in texts)


def _json(texts: list[str]) -> str:
    return json.dumps([{"text": text} for text in texts], ensure_ascii=False, indent=1)


FORMATS = {"rows.csv": _csv, "rows.jsonl": _jsonl, "rows.json": _json}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_what_a_mark_says_needs_no_param(write: Write, name: str, encoding: str) -> None:
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    content = marks.get(encoding, b"") + FORMATS[name](FRENCH).encode(encoding)
    assert [row.text for row in write(name, content)()] == FRENCH
    packed = write(f"{name}.gz", gzip.compress(content))
    assert [row.text for row in packed(encoding="cp1252")] == (
        FRENCH if encoding != "utf-8" else [text.encode().decode("cp1252") for text in FRENCH]
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("encoding", TEXTS)
def test_the_encoding_that_is_offered_reads_every_row(
    write: Write, name: str, encoding: str
) -> None:
    read = write(name, FORMATS[name](TEXTS[encoding]).encode(encoding))
    with pytest.raises(ContractError, match="found another encoding") as error:
        read()
    offered = re.findall(r"set ingest\.manifest\.encoding to (\S+),", str(error.value))
    assert offered == [SPELLED.get(encoding, encoding)]
    assert [row.text for row in read(encoding=offered[0])] == TEXTS[encoding]


@pytest.mark.parametrize("text", ["caf\xe9", "a\xe9", "\xdc", "100 \xa3", "it\x92s"])
def test_one_letter_is_enough(write: Write, text: str) -> None:
    lines = ["text,label", *(f"row {n},x" for n in range(50)), f"{text},x"]
    read = write("rows.csv", "\n".join(lines).encode("latin-1"))
    with pytest.raises(ContractError, match=r"set ingest\.manifest\.encoding to cp1252"):
        read()
    assert len(read(encoding="cp1252")) == 51


@pytest.mark.parametrize(("encoding", "zeros"), [("utf-16-le", b"a\0"), ("utf-16-be", b"\0a")])
def test_utf16_without_its_mark_is_offered(write: Write, encoding: str, zeros: bytes) -> None:
    del zeros
    read = write("rows.csv", _csv(FRENCH).encode(encoding))
    with pytest.raises(ContractError, match=f"UTF-16 without its mark. As {encoding}, every row"):
        read()
    assert [row.text for row in read(encoding=encoding)] == FRENCH


def test_what_is_shown_of_a_row_is_short(write: Write) -> None:
    read = write("rows.csv", _csv(["x" * 5000 + "\xe9" + "y" * 5000]).encode("latin-1"))
    with pytest.raises(ContractError) as error:
        read()
    assert "xxé" in str(error.value)
    assert len(str(error.value)) < 500


def test_damage_here_and_there_costs_its_own_rows(write: Write) -> None:
    content = _csv([*FRENCH, "damag\udce9d"]).encode("utf-8", "surrogateescape")
    *good, bad = write("rows.csv", content)()
    assert [row.text for row in good] == FRENCH
    assert bad.problems[0].detail == "line 5: column 'text': not valid UTF-8."


def test_the_named_encoding_is_the_one_that_is_read(
    write: Write, build_params: Build, tmp_path: Path
) -> None:
    write("rows.csv", _csv(FRENCH).encode())
    columns = {"image": None, "label": None}
    manifest = {"path": str(tmp_path / "rows.csv"), "columns": columns, "encoding": "cp1252"}
    source = ManifestSource(build_params(manifest=manifest))
    assert source.notes == ["rows.csv: read as cp1252, though it is valid UTF-8 too."]


@pytest.mark.parametrize("name", ["utf-99", "base64", "hex", ""])
def test_an_encoding_that_is_none_is_refused(build_params: Build, name: str) -> None:
    with pytest.raises(ValueError, match="expected an encoding of text, such as utf-8"):
        build_params(manifest={"encoding": name})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", "not readable as gzip: Not a gzipped file"),
        (gzip.compress(b"text\na\n", mtime=0)[:-9], "not readable as gzip: Compressed file ended"),
        (
            gzip.compress(b"text\n" + b"a" * 2000, mtime=0),
            "at most 1000 bytes unpacked, found more",
        ),
        (b"", "expected a table, found an empty file"),
    ],
    ids=["no gzip", "cut", "a bomb", "empty"],
)
def test_packed_tables_that_cannot_be_read(
    write: Write, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr(text_files, "MAX_UNPACKED_BYTES", 1000)
    for name in ("rows.csv.gz", "rows.jsonl.gz", "rows.json.gz", "rows.tsv.gz"):
        with pytest.raises(ContractError, match=message):
            write(name, content)()
