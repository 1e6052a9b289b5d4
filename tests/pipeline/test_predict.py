"""The exported model of a real run, asked as its users would."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.contracts import EXAMPLES, read_manifest, read_table
from fuseline.data.sources import Media, RawRow
from fuseline.serving import predict
from fuseline.serving.cleaning import Cleaned, Refused
from fuseline.serving.contract import read_contract
from fuseline.serving.inputs import Preparer
from fuseline.serving.predictor import Options, Predictor
from fuseline.serving.scores import read_reference
from tests.support.media import encoded
from tests.support.workspace import Workspace

# What must not be needed to answer: nothing that trains, and no pipeline.
NOT_NEEDED = ("torch", "sklearn", "datasets", "dvc", "peft", "accelerate", "scipy", "altair")


@pytest.fixture
def export(finished: Workspace) -> Path:
    return finished.root / "models/export"


@pytest.fixture
def predictor(export: Path) -> Predictor:
    return Predictor(export, Options(probabilities=True, neighbours=True))


def ask(*words: str | Path, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, words)], input=text)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_raw_rows_get_what_evaluate_wrote_of_them(
    finished: Workspace, export: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    result = ask("--source", "synthetic", "--model", export, "-o", out, "--probabilities")
    assert result.exit_code == 0, result.output
    found = {row["id"]: row for row in lines(out)}
    folder = finished.root / "data/predictions" / read_contract(export).origin.model
    labels = read_manifest(folder, "predictions")["labels"]
    expected = pq.read_table(folder / "00000.parquet").to_pylist()
    assert expected
    for row in expected:
        own = found[row["example_id"]]
        assert own["label"] == row["prediction"]
        shares = [own["probabilities"][name] for name in labels]
        assert shares == pytest.approx(row["probabilities"], abs=1e-4)


def test_test_rows_in_use_have_the_scores_of_the_reference(
    finished: Workspace, export: Path, tmp_path: Path
) -> None:
    out, log = tmp_path / "out.jsonl", tmp_path / "scores"
    assert ask("--source", "synthetic", "--model", export, "-o", out, "--log", log).exit_code == 0
    table = read_table(
        finished.root / "data/examples", EXAMPLES, "examples", ["example_id", "split"]
    )
    splits = dict(
        zip(*(table.column(name).to_pylist() for name in table.schema.names), strict=True)
    )
    pairs = zip(lines(out), lines(log), strict=True)
    used = [score for answer, score in pairs if splits[answer["id"]] == "test"]
    known = read_reference(export)
    assert len(known) == len(used) > 0

    def order(score: dict[str, Any]) -> tuple[Any, ...]:
        return score["label"], round(score["confidence"], 3), score["present"]

    for one, other in zip(sorted(known, key=order), sorted(used, key=order), strict=True):
        assert one["label"] == other["label"] and one["present"] == other["present"]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=2e-3)
    (tmp_path / "tests").write_text("".join(json.dumps(one) + "\n" for one in used))
    look = ["drift", str(tmp_path / "tests"), "--export", str(export)]
    found = CliRunner().invoke(app, look)
    assert found.exit_code == 0, found.output


def test_features_are_those_that_training_read(finished: Workspace, export: Path) -> None:
    table = read_table(finished.root / "data/examples", EXAMPLES, "examples")
    records = [row | {"tabular": dict(row["tabular"])} for row in table.to_pylist()]
    prepared = Preparer(export, read_contract(export), 1)(records)
    tokens = pq.read_table(finished.root / "data/tokens/00000.parquet").column("input_ids")
    first = [ids.tolist() for ids in prepared.input_ids[: len(tokens)]]
    assert first == tokens.to_pylist()
    for name, values in prepared.features.items():
        stored = pq.read_table(finished.root / f"data/features/{name}/00000.parquet")
        column = stored.column("features").combine_chunks()
        assert column.is_valid().to_pylist() == prepared.present[name][: len(stored)].tolist()
        known = column.drop_null().flatten().to_numpy(zero_copy_only=False)
        own = values[: len(stored)][prepared.present[name][: len(stored)]]
        assert own.reshape(-1).astype(np.float32) == pytest.approx(
            known.astype(np.float32), abs=2e-3
        )


def clean(predictor: Predictor, **values: Any) -> Cleaned:
    found = predictor.clean(RawRow(source_row=0, raw={}, is_named=False, **values))
    assert isinstance(found, Cleaned), found
    return found


def picture(mode: str = "RGB", **save: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, save.pop("format", "PNG"), **save)
    return file.getvalue()


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ({"text": "mail ada@example.org"}, ["text:email"]),
        ({"text": " caf\u0065\u0301\x07"}, ["text:control_characters", "text:nfc"]),
        ({"image": Media(picture("CMYK", format="JPEG"), "a.jpg")}, ["image:mode_CMYK"]),
        ({"image": Media(picture("P"), "a.jpg")}, ["image:mode_P", "image:extension"]),
    ],
)
def test_a_row_is_cleaned_as_ingest_would(
    predictor: Predictor, values: dict[str, Any], changes: list[str]
) -> None:
    assert set(changes) <= set(clean(predictor, **values).record["sanitised"])


def test_a_turned_photograph_answers_as_the_upright_one(predictor: Predictor) -> None:
    upright = Image.open(io.BytesIO(picture()))
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    file = io.BytesIO()
    turned.save(file, "PNG", exif=exif)
    rows = [clean(predictor, image=Media(one, None)) for one in (picture(), file.getvalue())]
    assert "image:upright" in rows[1].record["sanitised"]
    first, second = predictor.answer(rows).column("image_probability").to_pylist()
    assert first == pytest.approx(second, abs=1e-6)


def test_what_is_transparent_is_white(predictor: Predictor) -> None:
    clear = Image.new("RGBA", (24, 24), (255, 0, 0, 0))
    white = Image.new("RGB", (24, 24), "white")
    rows = [clean(predictor, image=Media(encoded(one), None)) for one in (clear, white)]
    first, second = predictor.answer(rows).column("image_probability").to_pylist()
    assert first == second


def test_an_unseen_category_and_a_missing_number_are_answered(predictor: Predictor) -> None:
    columns = [one["name"] for one in predictor.contract.features["tabular"].settings["columns"]]
    rows = [
        clean(predictor, tabular=dict.fromkeys(columns, "never seen")),
        clean(predictor, tabular=dict.fromkeys(columns[:-1], "1") | {columns[-1]: None}),
    ]
    assert predictor.answer(rows).column("tabular_label").null_count == 0


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "empty_text"),
        ({"text": "  \u200b"}, "empty_text"),
        ({"text": "a" * 20_001}, "oversized_text"),
        ({"image": Media(b"GIF89a?", None)}, "unreadable_image"),
        ({"audio": Media(b"", None)}, "unreadable_audio"),
    ],
)
def test_what_ingest_refuses_is_refused(
    predictor: Predictor, values: dict[str, Any], reason: str
) -> None:
    found = predictor.clean(RawRow(source_row=3, raw={}, example_id="x", **values))
    assert isinstance(found, Refused)
    assert (found.row, found.id, found.reason) == (3, "x", reason)


def test_a_row_may_be_asked_twice_and_its_neighbours_are_training_rows(
    finished: Workspace, predictor: Predictor
) -> None:
    table = read_table(finished.root / "data/examples", EXAMPLES, "examples")
    splits = dict(zip(*(table.column(n).to_pylist() for n in ("example_id", "split")), strict=True))
    first = predictor.answer([clean(predictor, text="red circle")]).to_pylist()[0]
    again = predictor.answer([clean(predictor, text="red circle")]).to_pylist()[0]
    assert first == again
    assert {splits[one["example_id"]] for one in first["neighbours"]} == {"train"}
    distances = [one["distance"] for one in first["neighbours"]]
    assert distances == sorted(distances)


def test_a_test_row_stands_beside_others_as_it_does_alone(predictor: Predictor) -> None:
    rows = [clean(predictor, text=text) for text in ("red", "a blue square", "red circle " * 5)]
    rows.append(clean(predictor, image=Media(picture(), None)))
    together = predictor.answer(rows).to_pylist()
    for row, beside in zip(rows, together, strict=True):
        alone = predictor.answer([row]).to_pylist()[0]
        assert alone["label"] == beside["label"]
        assert alone["probability"] == pytest.approx(beside["probability"], abs=2e-6)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([f"r{n}", f"red circle {n}" if n % 7 else ""] for n in range(50))
    return path


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_table_is_answered_row_by_row_and_the_refused_are_beside(
    export: Path, table: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"out.{ending}"
    result = ask(table, "--model", export, "-o", out)
    assert result.exit_code == 0, result.output
    assert "42 rows answered" in result.output
    refused = lines(tmp_path / "out.refused.jsonl")
    assert [one["row"] for one in refused] == [0, 7, 14, 21, 28, 35, 42, 49]
    assert {one["reason"] for one in refused} == {"empty_text"}
    if ending == "csv":
        with out.open(newline="") as file:
            assert [row["id"] for row in csv.DictReader(file)][:3] == ["r1", "r2", "r3"]
    elif ending == "parquet":
        assert pq.read_table(out).num_rows == 42
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["rows.csv", out.name, "out.refused.jsonl"]
    )


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    export: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "BLOCK_ROWS", 8)
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    assert ask(table, "--model", export, "-o", whole).exit_code == 0
    keep, kept = predict.Progress.keep, []

    def then_killed(self: predict.Progress, block: predict.Block) -> None:
        if len(kept) == 3:
            raise KeyboardInterrupt
        keep(self, block)
        kept.append(block)

    with monkeypatch.context() as broken_off:
        broken_off.setattr(predict.Progress, "keep", then_killed)
        assert ask(table, "--model", export, "-o", broken).exit_code == 130
    assert not broken.exists()
    result = ask(table, "--model", export, "-o", broken)
    assert "Going on after 24 rows" in result.output
    assert broken.read_bytes() == whole.read_bytes()
    assert (tmp_path / "broken.refused.jsonl").read_bytes() == (
        tmp_path / "whole.refused.jsonl"
    ).read_bytes()


def test_finished_blocks_of_another_input_are_not_taken_up(
    export: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "BLOCK_ROWS", 8)
    out = tmp_path / "out.jsonl"

    def killed(self: predict.Progress, *_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken_off:
        broken_off.setattr(predict.Progress, "join", killed)
        assert ask(table, "--model", export, "-o", out).exit_code == 130
    table.write_text("id,text\nnew,blue square\n")
    result = ask(table, "--model", export, "-o", out)
    assert "Going on" not in result.output
    assert [row["id"] for row in lines(out)] == ["new"]


@pytest.mark.parametrize("path", ["-", "rows*.csv"])
def test_nor_are_those_of_other_standard_input_or_files_of_a_pattern(
    export: Path, table: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(table.parent)
    out = table.parent / "out.jsonl"

    def killed(self: predict.Progress, *_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken_off:
        broken_off.setattr(predict.Progress, "join", killed)
        assert ask(path, "--model", export, "-o", out, text=table.read_text()).exit_code == 130
    table.write_text("id,text\nnew,blue square\n")
    result = ask(path, "--model", export, "-o", out, text=table.read_text())
    assert "Going on" not in result.output
    assert [row["id"] for row in lines(out)] == ["new"]


def test_pictures_of_a_pattern_and_formats_that_are_not_read(export: Path, tmp_path: Path) -> None:
    for name in ("a/x.png", "b/y.png", "b/z.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(picture() if name.endswith("png") else b"no picture")
    out = tmp_path / "out.jsonl"
    assert ask(tmp_path / "*/y.*", "--model", export, "-o", out).exit_code == 0
    assert [row["id"] for row in lines(out)] == ["y.png"]
    assert ask(tmp_path / "*/*", "--model", export, "-o", out).exit_code == 0
    assert [row["id"] for row in lines(out)] == ["a/x.png", "b/y.png"]
    (refused,) = lines(tmp_path / "out.refused.jsonl")
    assert (refused["id"], refused["reason"]) == ("b/z.heic", "unreadable_image")


def test_standard_input_bare_media_and_one_row(export: Path, tmp_path: Path) -> None:
    given = '{"text": "red circle"}\n{"text": "blue square"}\n'
    piped = ask("-", "--model", export, text=given)
    assert [json.loads(line)["row"] for line in piped.stdout.splitlines()] == [0, 1]
    pictures = tmp_path / "pictures"
    (pictures / "deep").mkdir(parents=True)
    (pictures / "deep/b.png").write_bytes(picture())
    (pictures / "a.jpg").write_bytes(b"no picture")
    found = ask(pictures, "--model", export, "-o", tmp_path / "out.jsonl")
    assert found.exit_code == 0, found.output
    assert [row["id"] for row in lines(tmp_path / "out.jsonl")] == ["deep/b.png"]
    (refused,) = lines(tmp_path / "out.refused.jsonl")
    assert (refused["id"], refused["reason"]) == ("a.jpg", "unreadable_image")
    one = ask("--model", export, "--text", "red", "--image", pictures / "deep/b.png")
    assert json.loads(one.stdout)["image_label"] is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected rows to answer, found none"),
        (("nowhere.csv",), "nowhere.csv: expected a file, a folder or a pattern, found none there"),
        (("--text", "a", "--cell", "b"), "--cell: expected COLUMN=VALUE, found 'b'"),
        (("rows.csv", "-o", "out.xlsx"), "expected a name ending in .csv"),
        (("--text", "a", "-o", "out.csv"), "--output: expected a table of rows"),
        (("rows.csv", "--column", "txt=a"), "--column: expected one of id, text"),
        (("rows.csv", "--column", "text=caption"), "found id, text"),
        (("--text", "a", "--model", "elsewhere"), "dvc repro export"),
    ],
)
def test_bad_use_is_told_in_one_message(
    export: Path, table: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(table.parent)
    model = () if "--model" in words else ("--model", export)
    result = ask(*words, *model)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert "Traceback" not in result.output


def test_integers_answer_too(export: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    assert ask(table, "--model", export, "-o", out, "--int8").exit_code == 0
    assert pq.read_table(out).column("label").null_count == 0


def test_answers_need_neither_torch_nor_the_pipeline(
    export: Path, table: Path, tmp_path: Path
) -> None:
    """In an own process in which importing what trains fails."""
    script = (
        "import sys\n"
        f"for name in {NOT_NEEDED!r}: sys.modules[name] = None\n"
        "from fuseline.cli import app\n"
        "app()\n"
    )
    out = tmp_path / "out.jsonl"
    words = ["predict", table, "--model", export, "-o", out, "--neighbours"]
    result = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    every = ["predict", "--source", "synthetic", "--model", export, "-o", tmp_path / "all.jsonl"]
    result = subprocess.run(
        [sys.executable, "-c", script, *map(str, every)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_the_schema_is_that_of_the_answers(predictor: Predictor) -> None:
    answers = predictor.answer([clean(predictor, text="red")])
    assert answers.schema.equals(predictor.schema)
    assert isinstance(answers, pa.Table)
