"""`fuseline init` shows what it guessed, changes nothing unasked, and leaves a valid file."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.config import read_yaml
from fuseline.data.sources import SOURCES
from fuseline.params.ingest import IngestParams
from fuseline.params.whole import check
from tests.support.repository import REPOSITORY

ROWS = 12


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "clone"
    (folder / "data" / "raw").mkdir(parents=True)
    shutil.copy(REPOSITORY / "params.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


def init(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["init", *map(str, arguments)])


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, "PNG")
    return file.getvalue()


def shop(folder: Path) -> Path:
    """A CSV file with pictures beside it."""
    (folder / "photos").mkdir(parents=True)
    with (folder / "items.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["sku", "words", "photo", "price", "brand", "category"])
        for row in range(ROWS):
            (folder / "photos" / f"{row}.png").write_bytes(png())
            photo, brand = f"photos/{row}.png", "ab"[row % 2]
            words = f"a fine chair of {row} legs"
            lines.writerow([f"A{row}", words, photo, f"{row}.5", brand, "xy"[row % 3 == 0]])
    return folder / "items.csv"


def pictures(folder: Path) -> Path:
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        (folder / label / "1.png").write_bytes(png())
    return folder


def shards(folder: Path) -> Path:
    folder.mkdir(parents=True)
    with tarfile.open(folder / "0.tar", "w") as tar:
        for row in range(ROWS):
            content = {
                "png": png(),
                "cls": str(row % 2).encode(),
                "json": json.dumps(
                    {"caption": f"a caption of row {row}", "age": row + 0.5}
                ).encode(),
                "pyd": b"x",
            }
            for ending, value in content.items():
                member = tarfile.TarInfo(f"{row:03d}.{ending}")
                member.size = len(value)
                tar.addfile(member, io.BytesIO(value))
    return folder / "0.tar"


def data_set(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    images = [{"bytes": png(), "path": None}] * ROWS
    words = [f"some words about row {row}" for row in range(ROWS)]
    rows = pa.table({"image": images, "words": words, "kind": ["a", "b"] * (ROWS // 2)})
    for split in ("train", "test"):
        pq.write_table(rows, folder / "data" / f"{split}-00000.parquet")
    return folder


def sources(root: Path) -> Any:
    """Build the source that params.yaml now names."""
    content = read_yaml(root / "params.yaml")
    check(content)
    params = IngestParams.model_validate(content["ingest"])
    return SOURCES[params.source](params)


@pytest.mark.parametrize(
    ("make", "source", "modalities"),
    [
        (shop, "manifest", ["text", "image", "tabular"]),
        (pictures, "image_folder", ["image"]),
        (shards, "webdataset", ["text", "image", "tabular"]),
        (data_set, "datasets", ["text", "image"]),
    ],
)
@pytest.mark.parametrize("copied", [False, True])
def test_what_is_written_reads_every_row(
    root: Path, make: Any, source: str, modalities: list[str], copied: bool
) -> None:
    path = make((root.parent if copied else root / "data" / "raw") / "mine")
    result = init(path, "--yes", *(["--copy"] if copied else []))
    assert result.exit_code == 0, result.output
    content = read_yaml(root / "params.yaml")
    assert content["ingest"]["source"] == source
    assert content["base"]["modalities"] == modalities
    assert content["ingest"][source]["path"].startswith("data/raw/")
    built = sources(root)
    rows = list(built.rows())
    assert len(rows) == (2 if source == "image_folder" else ROWS)
    assert not any(row.problems for row in rows)
    assert built.fields == {*modalities, "label"}
    assert all(getattr(row, field) for row in rows for field in built.fields)


def test_mapping_is_shown_with_reasons_and_samples(root: Path) -> None:
    lines = init(shop(root / "data/raw/mine"), "--yes").output.splitlines()
    assert lines[0].endswith("items.csv: source manifest, modalities text, image, tabular")
    assert [line.split()[:2] for line in lines[3:9]] == [
        ["sku", "id"],
        ["words", "text"],
        ["photo", "image"],
        ["price", "tabular"],
        ["brand", "tabular"],
        ["category", "label"],
    ]
    assert "paths to image files, 12 of 12 found" in lines[5]
    assert "photos/0.png | photos/1.png | photos/2.png" in lines[5]
    assert "    dvc add data/raw/mine" in "\n".join(lines)
    assert "    make repro" in lines


def test_comments_and_other_values_stay(root: Path) -> None:
    before = (root / "params.yaml").read_text().splitlines()
    init(shop(root / "data/raw/mine"), "--yes")
    after = (root / "params.yaml").read_text().splitlines()
    assert len(before) == len(after)
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 12
    assert {line.strip().partition(":")[0] for line in changed} == {
        *("modalities", "source", "path", "id", "text", "image", "tabular", "label", "epsilon"),
    }
    comments = [sum("#" in line for line in lines) for lines in (before, after)]
    assert comments[0] == comments[1]


def test_nothing_is_changed_unasked(root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    result = init(shop(root.parent / "mine"), "--copy")
    assert result.exit_code == 2
    assert "12 of 12 found" in result.output
    assert "nothing was changed. Add --yes" in result.output
    assert (root / "params.yaml").read_bytes() == before
    assert not list((root / "data/raw").iterdir())


def test_data_elsewhere_is_copied_only_when_told(root: Path) -> None:
    path = shop(root.parent / "mine")
    result = init(path, "--yes")
    assert result.exit_code == 2
    assert "lies outside data/raw" in result.output
    assert "--copy to have it copied to data/raw/items" in result.output
    assert init(path, "--yes", "--copy").exit_code == 0
    assert len(list((root / "data/raw/items/photos").iterdir())) == ROWS
    again = init(path, "--yes", "--copy")
    assert (again.exit_code, "there already" in again.output) == (2, True)


def test_copy_takes_only_what_rows_name_and_nothing_from_outside(root: Path) -> None:
    path = shop(root.parent / "mine")
    (path.parent / "unused.png").write_bytes(b"unused")
    (root.parent / "secret.png").write_bytes(b"secret")
    (path.parent / "photos" / "out.png").symlink_to(root.parent / "secret.png")
    with path.open("a") as file:
        for name in ("../secret.png", "photos/out.png", str(root.parent / "secret.png")):
            file.write(f"B,some more words here,{name},1.5,a,x\n")
    init(path, "--yes", "--copy")
    assert len(list((root / "data/raw").rglob("*.png"))) == ROWS
    assert not list((root / "data/raw").rglob("*.partial"))


def catalogue(folder: Path) -> Path:
    """Products with pictures in one column, parted by a sign, and several topics each."""
    (folder / "photos").mkdir(parents=True)
    with (folder / "items.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["title", "details", "photos", "topics"])
        for row in range(ROWS):
            names = [f"photos/{row}{side}.png" for side in "ab"[: 1 + row % 2]]
            for name in names:
                (folder / name).write_bytes(png())
            topics = "; ".join(["red", "blue", "green"][row % 3 :])
            lines.writerow([f"chair {row}", f"a fine chair of {row}", ";".join(names), topics])
    return folder / "items.csv"


def test_cells_of_several_are_set_up_as_ingest_reads_them(root: Path) -> None:
    result = init(catalogue(root.parent / "mine"), "--yes", "--copy")
    assert result.exit_code == 0, result.output
    section = read_yaml(root / "params.yaml")["ingest"]
    columns = section["manifest"]["columns"]
    assert (columns["text"], columns["image"]) == (["title", "details"], "photos")
    assert columns["targets"] == {"topics": "categories"}
    assert (section["limits"]["max_images"], section["categories_separator"]) == (2, ";")
    rows = list(sources(root).rows())
    assert [len(row.more_images) for row in rows] == [0, 1] * (ROWS // 2)
    assert not any(row.problems for row in rows)
    # What fits already stays: more places, another set's separator where none is needed.
    init(shop(root / "data" / "raw" / "shop"), "--yes")
    section = read_yaml(root / "params.yaml")["ingest"]
    assert (section["limits"]["max_images"], section["categories_separator"]) == (2, ";")


def test_several_texts_and_pictures_can_be_named(root: Path) -> None:
    path = catalogue(root / "data" / "raw" / "mine")
    told = [f"--use={use}" for use in ("details=text", "title=text", "topics=label")]
    assert init(path, "--yes", *told).exit_code == 0
    columns = read_yaml(root / "params.yaml")["ingest"]["manifest"]["columns"]
    assert (columns["text"], columns["label"]) == (["title", "details"], "topics")


def test_another_repository_can_be_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shop(root / "data/raw/mine")
    monkeypatch.chdir("/")
    assert init(path, "--directory", root, "--yes").exit_code == 0
    path = "data/raw/mine/items.csv"
    assert read_yaml(root / "params.yaml")["ingest"]["manifest"]["path"] == path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.csv", None, "nowhere.csv: not found"),
        (
            "rows.xlsx",
            b"x",
            "A workbook is not read: in the spreadsheet program, save its sheet",
        ),
        ("rows.csv", b"", "expected a table, found an empty file"),
        ("rows.csv", b"text,label\n", "expected rows, found only a header (text, label)"),
        ("rows.csv", b"a,b\n1,x,y\n", "the first is bad: line 2: expected 2 cells, found 3."),
        ("rows.jsonl", b"", "expected a table, found an empty file"),
        ("rows.jsonl", b"{}\n", "expected a table, found no columns"),
        (
            "rows.csv",
            b"a,b\n,\n,\n",
            "none of its columns looks like text, media or a table. 'a': empty; nothing: no row",
        ),
        ("rows.parquet", b"x", "not readable as Parquet"),
        ("rows.tar", b"x", "expected rows, found none that can be read; the first is bad: "),
        ("empty/notes.txt", b"x", "expected pictures, or files ending in"),
        (
            "films/ratings.dat",
            b"1::2::3::4\n",
            "films: found ratings.dat, of a kind that is read only where the file itself is named",
        ),
        ("saved/state.json", b"{}", "not readable as a data set"),
        ("saved/dataset_dict.json", b"{", "names no splits"),
    ],
)
def test_what_cannot_be_read_is_one_message(
    root: Path, name: str, content: bytes | None, message: str
) -> None:
    path = root / "data" / "raw" / name
    if content is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    result = init(path.parent if "/" in name else path, "--yes")
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_column_that_is_there_twice_is_refused(root: Path, ending: str) -> None:
    path = root / "data" / "raw" / f"rows.{ending}"
    if ending == "csv":
        path.write_text("text,text,label\n" + "a few words,b,x\n" * ROWS)
    else:
        cells = [pa.array(["a few words"] * ROWS)] * 3
        pq.write_table(pa.Table.from_arrays(cells, ["text", "text", "label"]), path)
    result = init(path, "--yes")
    assert result.exit_code == 2, result.output
    assert f"{path}: expected each column once, found text more than once" in result.output


def test_parquet_without_rows_is_said_to_have_none(root: Path) -> None:
    path = root / "data" / "raw" / "rows.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    result = init(path, "--yes")
    assert (result.exit_code, "found only a header (text)" in result.output) == (2, True)


def test_some_rows_that_cannot_be_read_are_a_note(root: Path) -> None:
    path = shop(root / "data/raw/mine")
    path.write_bytes(path.read_bytes() + b"B,chair,photos/0.png,1.5,a,x,y,z\n")
    result = init(path, "--yes")
    assert result.exit_code == 0
    assert "Note: 1 of the first 13 rows cannot be read: line 14: expected" in result.output


def test_another_encoding_is_proposed_and_told(root: Path) -> None:
    path = shop(root / "data/raw/mine")
    path.write_bytes(path.read_bytes() + b"B,caf\xe9 chair,photos/0.png,1.5,a,x\n")
    result = init(path, "--yes")
    assert result.exit_code == 0
    assert "As cp1252, every row can be read" in " ".join(result.output.split())
    assert read_yaml(root / "params.yaml")["ingest"]["manifest"]["encoding"] == "cp1252"


@pytest.mark.parametrize(
    ("photo", "note"),
    [
        ("photos\\{}.png", "12 of 12 paths use '\\' where '/' is expected. Replace it."),
        ("https://a.org/{}.png", "12 of 12 are web addresses, which are not fetched. Download"),
        ("elsewhere/{}.png", "0 of 12 files were found. Paths start at the table's folder"),
        ("photos/{}.heic", "12 of 12 pictures are .heic, which ingest refuses. Convert them"),
        ("photos/{}.AVIF", "12 of 12 pictures are .avif, which ingest refuses. Convert them"),
    ],
)
def test_media_that_ingest_would_not_read_are_a_note(root: Path, photo: str, note: str) -> None:
    path = shop(root / "data/raw/mine")
    lines = path.read_text()
    for row in range(ROWS):
        lines = lines.replace(f"photos/{row}.png", photo.format(row))
        (path.parent / "photos" / f"{row}.{photo[-4:]}").write_bytes(b"x")
    path.write_text(lines)
    result = init(path, "--yes")
    assert result.exit_code == 0, result.output
    assert f"Note: photo: {note}" in result.output
    assert result.output.count("Note: ") == 1


def test_names_in_another_case_are_a_note(root: Path) -> None:
    path = shop(root / "data" / "raw" / "mine")
    path.write_text(path.read_text().replace("photos/", "Photos/"))
    said = init(path, "--yes").output
    assert "0 of 12 files were found. Of 'Photos/0.png' there is 'photos/0.png'" in said


def test_absolute_paths_are_a_note_though_the_files_are_there(root: Path) -> None:
    path = shop(root / "data/raw/mine")
    path.write_text(path.read_text().replace("photos/", f"{path.parent.resolve()}/photos/"))
    assert "Note: photo: 0 of 12 files were found." in init(path, "--yes").output


def test_few_files_that_are_missing_are_no_note(root: Path) -> None:
    path = shop(root / "data/raw/mine")
    (path.parent / "photos" / "0.png").unlink()
    assert "Note: " not in init(path, "--yes").output


def test_pictures_to_convert_are_a_note_in_folders_and_shards(root: Path) -> None:
    folder = pictures(root / "data/raw/pets")
    (folder / "cat" / "2.HEIF").write_bytes(b"x")
    note = "1 of 3 pictures are .heif, which ingest refuses. Convert them to JPEG or PNG."
    assert f"Note: {note}" in init(folder, "--yes").output
    (root / "data/raw/shards").mkdir()
    with tarfile.open(root / "data/raw/shards/0.tar", "w") as tar:
        for row in range(4):
            for ending in ("avif", "cls") if row == 1 else ("avif", "png", "cls"):
                member = tarfile.TarInfo(f"{row}.{ending}")
                member.size = int(ending == "cls")
                tar.addfile(member, io.BytesIO(b"ab"[row % 2 :]))
    result = init(root / "data/raw/shards", "--yes").output
    assert "png;avif" in result
    assert "Note: 1 of 4 pictures are .avif, which ingest refuses." in result


def test_class_folders_beside_a_stray_table_are_a_note(root: Path) -> None:
    folder = pictures(root / "data/raw/pets")
    (folder / "notes.csv").write_text("text,label\n" + "a few words,x\nsome others,y\n" * ROWS)
    result = init(folder, "--yes")
    assert result.exit_code == 0, result.output
    note = (
        "the folders cat, dog hold pictures that no column names. To read those, labelled by"
        " folder, move notes.csv elsewhere."
    )
    assert f"Note: {note}" in result.output
    assert "hold pictures" not in init(shop(root / "data/raw/mine").parent, "--yes").output


def test_columns_without_a_name_are_left_out_where_there_are_several(root: Path) -> None:
    path = root / "data" / "raw" / "rows.csv"
    path.write_text(
        "text,label,,\n" + "".join(f"a fine chair {n},{n % 2},,\n" for n in range(ROWS))
    )
    assert init(path, "--yes").exit_code == 0
    assert len(list(sources(root).rows())) == ROWS


def test_wrong_params_are_mended_first(root: Path) -> None:
    path = shop(root / "data/raw/mine")
    (root / "params.yaml").write_text("base: {}\n")
    result = init(path, "--yes")
    assert result.exit_code == 2
    assert "was wrong before any change" in result.output
    (root / "params.yaml").unlink()
    assert "name it with --directory" in init(path, "--yes").output


def test_bad_use_is_refused() -> None:
    assert init().exit_code == 2
    assert init("a.csv", "--nonsense").exit_code == 2


def test_no_torch_and_no_pandas_are_needed(root: Path) -> None:
    path = shop(root / "data/raw/mine")
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom fuseline.cli import app\n"
        f"assert CliRunner().invoke(app, ['init', {str(path)!r}, '--yes']).exit_code == 0\n"
        "print(sorted({'torch', 'transformers', 'pandas', 'datasets'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
