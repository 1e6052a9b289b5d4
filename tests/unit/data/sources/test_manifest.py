from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuseline.data.sources import json_file, manifest, parquet_file, text_files
from fuseline.data.sources.base import Media, RawRow
from fuseline.data.sources.csv_file import CsvFile
from fuseline.data.sources.manifest import ManifestSource
from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]


@pytest.fixture
def read(build_params: Build, tmp_path: Path) -> Callable[..., list[RawRow]]:
    """Write a manifest with the given content and read it; `columns` changes the mapping."""

    def rows(name: str, content: bytes | str | pa.Table, **columns: Any) -> list[RawRow]:
        path = tmp_path / name
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        (tmp_path / "a.png").write_bytes(b"picture")
        params = build_params(manifest={"path": str(path), "columns": columns})
        return list(ManifestSource(params).rows())

    return rows


Read = Callable[..., list[RawRow]]
ROWS = [("one", "a.png", "x"), ("two", "", "y")]


def _as_csv() -> str:
    return "\n".join(["text,image,label", *(",".join(row) for row in ROWS)])


def _as_jsonl() -> str:
    return "\n".join(
        json.dumps(dict(zip(("text", "image", "label"), row, strict=True))) for row in ROWS
    )


def _as_parquet() -> pa.Table:
    columns = list(zip(*ROWS, strict=True))
    return pa.table({"text": columns[0], "image": columns[1], "label": columns[2]})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", _as_csv()),
        ("rows.csv", "\ufeff" + _as_csv()),
        ("ROWS.CSV", _as_csv().replace("\n", "\r\n") + "\r\n\r\n"),
        ("rows.jsonl", _as_jsonl()),
        ("rows.jsonl", "\ufeff" + _as_jsonl() + "\n\n"),
        ("rows.parquet", _as_parquet()),
    ],
)
def test_every_format_gives_the_same_rows(read: Read, name: str, content: Any) -> None:
    first, second = read(name, content)
    assert (first.text, first.label, first.image) == ("one", "x", Media(b"picture", "a.png"))
    assert (second.text, second.label, second.image) == ("two", "y", None)
    assert first.problems == second.problems == ()
    assert first.raw == {"text": "one", "image": "a.png", "label": "x"}


def test_records_of_small_files_are_counted_for_the_progress_bar(
    build_params: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text('text,label\n"one\nand more",x\n\ntwo,y\nthree,"x\n')
    params = build_params(manifest={"path": f"{tmp_path}/*.csv", "columns": {"image": None}})
    source = ManifestSource(params)
    assert source.num_rows == len(list(source.rows()))
    monkeypatch.setattr(manifest, "COUNTED_BYTES", 10)
    assert source.num_rows is None


def test_a_file_that_cannot_be_read_to_its_end_is_not_counted(
    build_params: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("text,label\none,x\n")
    params = build_params(manifest={"path": f"{tmp_path}/a.csv", "columns": {"image": None}})
    source = ManifestSource(params)
    assert source.num_rows == 1

    def broken(_: CsvFile) -> None:
        raise ContractError("a.csv: broken.")

    monkeypatch.setattr(CsvFile, "records", broken)
    assert source.num_rows is None


def test_id_follows_the_content_and_not_the_position(read: Read) -> None:
    forward = [row.example_id for row in read("rows.csv", _as_csv())]
    header, *lines = _as_csv().split("\n")
    backward = [row.example_id for row in read("b.csv", "\n".join([header, *lines[::-1]]))]
    assert forward == backward[::-1]
    assert len(set(forward)) == 2


def _old_id(text: str, image: str | None, label: str) -> str:
    """How rows of two modalities were named before there were more."""
    content = {"text": text, "image": image, "label": label}
    text = json.dumps(content, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def test_ids_stay_what_they_were_before_there_were_more_columns(read: Read) -> None:
    rows = read("rows.csv", _as_csv())
    assert [row.example_id for row in rows] == [
        _old_id("one", "a.png", "x"),
        _old_id("two", None, "y"),
    ]


def test_terms_and_origin_do_not_name_a_row(read: Read) -> None:
    (plain,) = read("rows.csv", "text,label,terms\na,x,CC0\n", image=None)
    (row,) = read("b.csv", "text,label,terms\na,x,CC0\n", image=None, license="terms")
    assert (row.license, row.example_id) == ("CC0", plain.example_id)


def test_a_given_split_does_not_name_a_row(read: Read) -> None:
    (plain,) = read("rows.csv", "text,label,part\na,x,test\n", image=None)
    (row,) = read("b.csv", "text,label,part\na,x,test\n", image=None, split="part")
    assert (row.split, row.example_id) == ("test", plain.example_id)
    (blank,) = read("c.csv", "text,label,part\na,x,\n", image=None, split="part")
    assert (blank.split, blank.example_id) == (None, plain.example_id)


def test_cells_of_a_table_are_texts_and_tell_rows_apart(read: Read) -> None:
    columns = {"text": None, "image": None, "tabular": ["age", "city"]}
    rows = read("rows.csv", "age,city,label\n1.50,,x\n1.5,Rome,x\n", **columns)
    assert [row.tabular for row in rows] == [
        {"age": "1.50", "city": None},
        {"age": "1.5", "city": "Rome"},
    ]
    assert [row.example_id for row in rows] == [
        "6c223d551f4fb7fce997c548",
        "0fcf78922ff0bb39670364ea",
    ]
    assert rows[0].text is None


def test_fields_name_what_is_mapped(build_params: Build, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,c\n")
    columns = {"text": None, "image": None, "audio": "a", "video": "b", "tabular": ["c"]}
    path = str(tmp_path / "rows.csv")
    params = build_params(manifest={"path": path, "columns": columns | {"label": None}})
    assert ManifestSource(params).fields == {"audio", "video", "tabular"}


@pytest.mark.parametrize("field", ["image", "audio", "video"])
def test_media_are_paths_bytes_or_structs(read: Read, field: str) -> None:
    structs = [{"bytes": b"in", "path": "/home/me/x.png"}, {"bytes": None, "path": "a.png"}, None]
    columns = {"image": None, "label": None} | {field: "medium"}
    table = pa.table({"text": ["a", "b", "c"], "medium": structs})
    expected = [Media(b"in", "x.png"), Media(b"picture", "a.png"), None]
    assert [getattr(row, field) for row in read("r.parquet", table, **columns)] == expected
    table = pa.table({"text": ["a"], "medium": [b"in"]})
    assert getattr(read("r.parquet", table, **columns)[0], field) == Media(b"in", None)
    table = pa.table({"text": ["a"], "medium": ["../a.png"]})
    assert read("r.parquet", table, **columns)[0].problems[0].reason == "unsafe_path"


def test_nested_cell_of_a_table_is_a_problem(read: Read) -> None:
    lines = '{"text": "a", "age": 3}\n{"text": "b", "age": [3]}'
    rows = read("r.jsonl", lines, image=None, label=None, tabular=["age"])
    assert rows[0].tabular == {"age": "3"}
    assert rows[1].problems[0].detail == "column 'age': expected text, found list."


@pytest.fixture
def batches(build_params: Build, tmp_path: Path) -> Callable[..., ManifestSource]:
    """Three files, the second in a folder of its own with a picture beside it."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "near.png").write_bytes(b"near")
    (tmp_path / "b10.csv").write_text("text,image,label\nfive,,x\n")
    (tmp_path / "b2.csv").write_text("text,image,label\none,,x\nbroken\nthree,,x\n")
    (tmp_path / "sub" / "c.jsonl").write_text(
        '{"text": "six", "image": "near.png", "label": "x"}\n'
    )

    def source(path: str) -> ManifestSource:
        return ManifestSource(build_params(manifest={"path": str(tmp_path / path)}))

    return source


def test_files_of_a_folder_are_batches_in_order_of_their_names(
    batches: Callable[..., ManifestSource],
) -> None:
    rows = list(batches("").rows())
    assert [row.text for row in rows] == ["one", None, "three", "five"]
    assert [row.batch for row in rows] == [0, 0, 0, 1]
    assert [row.source_row for row in rows] == [0, 1, 2, 3]


def test_media_lie_beside_their_own_file(batches: Callable[..., ManifestSource]) -> None:
    *_, last = batches("**/*[0-9c].*").rows()
    assert (last.batch, last.image) == (2, Media(b"near", "near.png"))


def test_every_file_needs_the_columns(
    batches: Callable[..., ManifestSource], tmp_path: Path
) -> None:
    (tmp_path / "b3.csv").write_text("text,label\na,x\n")
    with pytest.raises(ConfigError, match=r"b3\.csv: ingest\.manifest\.columns\.image: expected"):
        batches("*.csv")


def test_damaged_part_of_a_parquet_file_is_a_problem_for_each_row_lost(
    build_params: Build, tmp_path: Path
) -> None:
    path = tmp_path / "r.parquet"
    table = pa.table({"text": [f"text {row}" for row in range(30)], "label": ["x"] * 30})
    pq.write_table(table, path, row_group_size=10, compression="none", use_dictionary=False)
    content = path.read_bytes()
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    path.write_bytes(content[:start] + b"\xff" * 20 + content[start + 20 :])
    params = build_params(manifest={"path": str(path), "columns": {"image": None}})
    rows = list(ManifestSource(params).rows())
    assert [row.source_row for row in rows] == list(range(30))
    assert [row.source_row for row in rows if row.problems] == list(range(10, 20))
    assert rows[10].problems[0].detail.startswith("row group 1 is damaged: ")


def test_parquet_names_that_are_not_utf8_are_refused(build_params: Build, tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({"text": ["a"]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"text", b"t\xff\xfft"))
    with pytest.raises(ContractError, match="not readable as Parquet: 'utf-8' codec"):
        ManifestSource(build_params(manifest={"path": str(path)}))


def test_mapped_columns_are_used(read: Read) -> None:
    content = "key,words,pic,kind,family,tongue\n7,hello,a.png,x,f,de\n"
    (row,) = read(
        "rows.csv",
        content,
        id="key",
        text="words",
        image="pic",
        label="kind",
        group="family",
        lang="tongue",
    )
    assert (row.example_id, row.text, row.label) == ("7", "hello", "x")
    assert (row.group, row.lang) == ("f", "de")


@pytest.mark.parametrize("text", ["NA", "None", "null", "nan", "1e5", "007"])
def test_csv_values_are_text_as_written(read: Read, text: str) -> None:
    (row,) = read("rows.csv", f"text,label\n{text},{text}\n", image=None)
    assert (row.text, row.label) == (text, text)


def test_numbers_of_jsonl_and_parquet_become_text(read: Read) -> None:
    lines = '{"text": "a", "label": 3}\n{"text": "b", "label": true}\n{"text": "c", "label": null}'
    assert [row.label for row in read("r.jsonl", lines, image=None)] == ["3", "true", None]
    table = pa.table({"text": ["a", "b"], "label": [1.5, float("nan")]})
    assert [row.label for row in read("r.parquet", table, image=None)] == ["1.5", None]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_parquet_strings_of_any_kind(read: Read, kind: pa.DataType) -> None:
    table = pa.table({"text": pa.array(["a", None], kind), "label": ["x", "y"]})
    assert [row.text for row in read("r.parquet", table, image=None)] == ["a", None]


def test_parquet_may_embed_its_media(read: Read) -> None:
    cells = [{"bytes": b"in", "path": "/home/me/x.png"}, {"bytes": None, "path": "a.png"}, None]
    table = pa.table({"text": ["a", "b", "c"], "image": cells, "label": ["x"] * 3})
    images = [row.image for row in read("r.parquet", table)]
    assert images == [Media(b"in", "x.png"), Media(b"picture", "a.png"), None]
    raw = pa.table({"text": ["a"], "image": [b"in"], "label": ["x"]})
    assert read("r.parquet", raw)[0].image == Media(b"in", None)


MALFORMED = [
    ("rows.csv", b"text,label\ngood,x\nbad,x,extra\nbad\nlast,y\n", "expected 2 cells, found 3"),
    (
        "rows.csv",
        b"text,label\ngood,x\nb\xff\xfed,x\ncaf\xc3\xa9,x\nlast,y\n",
        "line 3: column 'text': not valid UTF-8.",
    ),
    ("rows.csv", b'text,label\ngood,x\n"b"ad,x\nlast,y\n', "Perhaps a quote is left open."),
    ("rows.jsonl", b'{"text":"good"}\n{"text":\n{"text":"last"}\n', "line 2: not readable as JSON"),
    ("rows.jsonl", b'{"text":"good"}\n[1]\n{"text":"last"}\n', "expected a JSON object"),
    (
        "rows.jsonl",
        b'{"text":"good"}\n{"text":"\xff"}\n{"text":"caf\xc3\xa9"}\n{"text":"last"}\n',
        "line 2: column 'text': not valid UTF-8.",
    ),
    ("rows.jsonl", b'{"text":"good"}\n{"text":"\\ud800"}\n{"text":"last"}\n', "half a character"),
    ("rows.jsonl", b'{"text":"good"}\n{"text":["b"]}\n{"text":"last"}\n', "text, found list"),
    ("rows.jsonl", b'{"text":"good"}\n' + b"[" * 10**5 + b'\n{"text":"last"}\n', "not readable"),
]


@pytest.mark.parametrize(("name", "content", "detail"), MALFORMED)
def test_bad_row_is_one_problem_among_good_rows(
    read: Read, name: str, content: bytes, detail: str
) -> None:
    rows = read(name, content, image=None, label=None)
    assert (rows[0].text, rows[-1].text) == ("good", "last")
    assert rows[1].problems[0].reason == "malformed_row"
    assert detail in rows[1].problems[0].detail
    assert [row.source_row for row in rows] == list(range(len(rows)))


def test_open_quote_at_the_end_is_a_problem(read: Read) -> None:
    rows = read("rows.csv", 'text,label\ngood,x\n"bad,x\nlost,y\n', image=None)
    assert "lines 3 to 4" in rows[1].problems[0].detail


def test_parquet_text_that_is_not_utf8_is_a_problem(read: Read) -> None:
    broken = pa.array([b"good", b"b\xff"]).view(pa.string())
    rows = read("r.parquet", pa.table({"text": broken}), image=None, label=None)
    assert rows[0].text == "good"
    assert rows[1].problems[0].detail == "column 'text': not valid UTF-8."


def test_empty_id_is_a_problem(read: Read) -> None:
    rows = read("rows.csv", "id,text\n1,a\n,b\n", id="id", image=None, label=None)
    assert rows[1].problems[0].detail == "column 'id': the id is empty."


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "txt,image,label\n"),
        ("rows.jsonl", '{"txt": "a", "image": "a.png", "label": "x"}'),
        ("rows.parquet", pa.table({"txt": ["a"], "image": ["a.png"], "label": ["x"]})),
    ],
)
def test_wrong_column_names_all_there_is_to_know(read: Read, name: str, content: Any) -> None:
    with pytest.raises(ConfigError) as error:
        read(name, content)
    message = str(error.value)
    assert name in message
    assert "ingest.manifest.columns.text: expected column 'text'" in message
    assert "found columns: txt, image, label" in message
    assert "Did you mean 'txt'?" in message
    assert "null for none" in message


def test_sparse_key_of_jsonl_is_found(read: Read) -> None:
    lines = '{"text": "a"}\n' * 50 + '{"text": "b", "label": "x"}'
    assert read("rows.jsonl", lines, image=None)[-1].label == "x"


def test_some_modality_is_needed(build_params: Build) -> None:
    params = build_params(manifest={"path": "x.csv", "columns": {"text": None, "image": None}})
    with pytest.raises(ConfigError, match="a column for one of text, image, audio, video, tabular"):
        ManifestSource(params)


@pytest.mark.parametrize(
    ("tabular", "message"),
    [(["label"], "'label' is the label and may not be tabular"), (["a", "a"], "a more than once")],
)
def test_tabular_columns_are_each_of_one_use(
    build_params: Build, tabular: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_params(manifest={"columns": {"tabular": tabular}})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            None,
            r"ingest\.manifest\.path: expected a file \(\.csv, \.tsv, \.jsonl, \.json, \.parquet",
        ),
        ("rows.xlsx", r"ingest\.manifest\.path: expected a file ending in .*, found 'rows\.xlsx'"),
        ("*.nothing", r"expected files ending in \.csv, .*, found none in '\*\.nothing'"),
        (".", r"expected files ending in \.csv, .*, found none in '\.'"),
        ("*.toml", r"expected a file ending in .*, found 'pyproject\.toml'.*narrow the pattern"),
        ("nowhere.csv", r"ingest\.manifest\.path: 'nowhere\.csv' cannot be read \(No such file"),
    ],
)
def test_wrong_path(build_params: Build, path: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ManifestSource(build_params(manifest={"path": path}))


def test_other_separators_in_one_of_several_names_are_fine(read: Read) -> None:
    (row,) = read("rows.csv", "a|b,c;d\nhello,x\n", text="a|b", label="c;d", image=None)
    assert (row.text, row.label) == ("hello", "x")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"", r"rows\.csv: expected a table, found an empty file"),
        ("rows.csv", b"\xef\xbb\xbf\n \n", "found an empty file"),
        ("rows.csv", b"\ntext,label\na,x\n", "expected a header in line 1, found a blank line"),
        ("rows.csv", b" \ntext\na\n", "found a blank line"),
        ("rows.jsonl", b"", r"rows\.jsonl: expected a table, found an empty file"),
        ("rows.jsonl", b" \n\n", "found an empty file"),
        ("rows.jsonl", b"{}\n{}\n", "found no columns"),
        ("rows.jsonl", b"[\n", "expected one JSON object a line, found an array"),
        ("rows.jsonl", '{"text": "a"}'.encode("utf-16-be"), "found UTF-16 without its mark"),
        ("rows.csv", "text,label\na,x".encode("utf-16-le"), "found UTF-16 without its mark"),
        ("rows.parquet", b"no parquet", "not readable as Parquet"),
        ("rows.csv", b"text,text,image,label\n", "text more than once"),
    ],
)
def test_unreadable_file(read: Read, name: str, content: bytes, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        read(name, content)


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_line_of_jsonl_without_an_end_fills_no_memory(
    read: Read, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(text_files, "MAX_LINE_CHARACTERS", 60)
    monkeypatch.setattr(json_file, "MAX_LINE_CHARACTERS", 60)
    long = json.dumps({"text": "x" * 1000, "image": "", "label": "y"})
    rows = read("rows.jsonl", f"{_as_jsonl()}\n{long}\n{_as_jsonl()}\n{long}{end}")
    told = [row.problems[0].detail if row.problems else row.text for row in rows]
    assert told == [
        "one",
        "two",
        "line 3: longer than 60 characters.",
        "one",
        "two",
        "line 6: longer than 60 characters.",
    ]


def test_heavy_rows_of_parquet_are_read_few_at_a_time(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def counted(batch: pa.RecordBatch, columns: Any) -> Any:
        sizes.append(batch.num_rows)
        return batch_records(batch, columns)

    batch_records = parquet_file.batch_records
    monkeypatch.setattr(parquet_file, "batch_records", counted)
    monkeypatch.setattr(parquet_file, "BATCH_BYTES", 40_000)
    pictures = [hashlib.sha512(bytes([row])).digest() * 200 for row in range(12)]
    table = pa.table({"text": ["t"] * 12, "image": pictures, "label": ["x"] * 12})
    assert [row.image and row.image.bytes for row in read("rows.parquet", table)] == pictures
    assert max(sizes) == 3
