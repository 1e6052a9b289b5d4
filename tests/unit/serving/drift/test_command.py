"""`fuseline drift`, as it is called."""

from __future__ import annotations

import gzip
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.serving.contract import read_contract
from fuseline.serving.drift.log import MAX_LINE_BYTES, Logs
from fuseline.serving.scores import REFERENCE_FILE, write_reference
from tests.support.untrained_export import LABELS, write_export

WEIGHTS = f"{0:064x}"
LINE = {
    "weights": WEIGHTS,
    "format": "onnx",
    "label": "ant",
    "confidence": 0.75,
    "sure": True,
    "out_of_scope": 0.5,
    "in_scope": True,
    "present": ["text"],
}


def lines(number: int, seed: int = 0, outside: float = 0.1, **changes) -> list[dict]:
    generator = np.random.default_rng(seed)
    return [
        LINE
        | {
            "label": str(generator.choice(LABELS)),
            "confidence": round(float(generator.uniform(0.4, 1)), 6),
            "in_scope": bool(generator.random() >= outside),
            "present": ["text", "image"] if generator.random() < 0.5 else ["text"],
        }
        | changes
        for _ in range(number)
    ]


def write(path, found: list[dict]):
    path.write_text("".join(json.dumps(one) + "\n" for one in found))
    return path


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = write_export(tmp_path_factory.mktemp("drift") / "export")
    found = lines(300, seed=1)
    names = [name for name in LINE if name not in ("weights", "format")]
    write_reference(folder, {name: [one[name] for one in found] for name in names})
    return folder


def drift(export, *words):
    return CliRunner().invoke(app, ["drift", "--export", str(export), *map(str, words)])


def test_no_drift_ends_with_0_and_says_what_did_not_move(export, tmp_path):
    found = drift(export, write(tmp_path / "log", lines(400)))
    assert found.exit_code == 0, found.output
    assert "400 rows of the model 000000000000 beside 300 test rows." in found.output
    assert "No drift found." in found.output
    assert "Moved:" not in found.output.replace("Not shown to have moved", "")
    for words in ("predicted labels", "confidence", "share out of scope", "rows with image"):
        assert words in found.output


def test_drift_ends_with_1_and_says_by_how_much(export, tmp_path):
    found = drift(export, write(tmp_path / "log", lines(400, outside=0.6)))
    assert found.exit_code == 1
    moved = found.output.split("Moved:")[1].split("Not shown")[0]
    assert "share out of scope (p = " in moved
    assert " of the rows, " in moved and " points)" in moved
    assert "predicted labels" not in moved


def test_as_json_it_says_the_same(export, tmp_path):
    path = write(tmp_path / "log", lines(400, outside=0.6))
    found = drift(export, path, "--json")
    assert found.exit_code == 1
    content = json.loads(found.output)
    assert content["drift"] and content["enough_rows"]
    assert (content["rows"], content["test_rows"]) == (400, 300)
    by_name = {(one["name"], one.get("modality")): one for one in content["findings"]}
    scope = by_name["out_of_scope", None]
    assert scope["moved"] and scope["p_value"] < 1e-6
    share = scope["shares"][0]["log"]
    assert share["low"] < share["share"] < share["high"]
    assert not by_name["presence", "image"]["moved"]


def test_a_window_is_the_last_rows(export, tmp_path):
    path = write(tmp_path / "log", lines(400, outside=0.9) + lines(300, seed=4))
    assert drift(export, path).exit_code == 1
    found = drift(export, path, "--last", 300)
    assert found.exit_code == 0
    assert "The last 300 rows" in found.output


def test_several_files_are_one_log_and_packed_ones_are_unpacked(export, tmp_path):
    old = tmp_path / "log.1.gz"
    with gzip.open(old, "wt") as file:
        file.write("".join(json.dumps(one) + "\n" for one in lines(100)))
    found = drift(export, old, write(tmp_path / "log", lines(50)))
    assert "150 rows of the model" in found.output


def test_rows_of_another_model_are_counted_apart(export, tmp_path):
    others = lines(70, weights="f" * 64, label="zebra", present=["smell"])
    found = drift(export, write(tmp_path / "log", others + lines(200)))
    assert found.exit_code == 0
    assert "70 rows of another model, ffffffffffff, are left out." in found.output
    only = drift(export, write(tmp_path / "others", others))
    assert only.exit_code == 2
    assert "found 70 of others (ffffffffffff). Name the export" in only.output


def test_of_few_rows_it_says_that_it_can_say_nothing(export, tmp_path):
    found = drift(export, write(tmp_path / "log", lines(19, outside=1.0)))
    assert found.exit_code == 0
    assert "Too few rows to say anything: 20 are needed on either side" in found.output
    assert "No drift found." not in found.output


def test_rows_in_integers_are_told(export, tmp_path):
    found = drift(export, write(tmp_path / "log", lines(200, format="int8")))
    assert "200 rows were answered in integers" in found.output


def test_a_last_line_that_is_being_written_is_left_out(export, tmp_path):
    path = write(tmp_path / "log", lines(100))
    path.write_text(path.read_text() + '{"weights": "00')
    found = drift(export, path)
    assert found.exit_code == 0
    assert "100 rows" in found.output
    assert "its last line is not finished" in found.output


HOSTILE = {
    "no JSON": "nonsense",
    "an empty line": "",
    "a list": "[1]",
    "deep": "[" * 20_000,
    "without a key": json.dumps({k: v for k, v in LINE.items() if k != "in_scope"}),
    "with more": json.dumps(LINE | {"text": "a secret"}),
    "above 1": json.dumps(LINE | {"confidence": 1.5}),
    "below 0": json.dumps(LINE | {"out_of_scope": -0.1}),
    "not a number": json.dumps(LINE | {"confidence": float("nan")}),
    "infinite": json.dumps(LINE | {"out_of_scope": float("inf")}),
    "a number as text": json.dumps(LINE | {"confidence": "0.5"}),
    "a number for a truth": json.dumps(LINE | {"in_scope": 1}),
    "an unknown label": json.dumps(LINE | {"label": "\x1b[31mzebra"}),
    "no label": json.dumps(LINE | {"label": None}),
    "a label without confidence": json.dumps(LINE | {"confidence": None}),
    "an unknown modality": json.dumps(LINE | {"present": ["smell"]}),
    "long": json.dumps(LINE | {"label": "x" * MAX_LINE_BYTES}),
    "bytes": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_is_refused_with_its_place(export, tmp_path, line):
    path = write(tmp_path / "log", lines(3))
    content = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(path.read_bytes() + content + b"\n" + path.read_bytes())
    found = drift(export, path)
    assert found.exit_code == 2
    assert f"{path}:4: " in found.output
    assert "or name another file." in found.output
    assert len(found.output) < 600 + len(str(path))
    assert "secret" not in found.output and "\x1b" not in found.output


@pytest.mark.parametrize("name", ["missing", "folder", "torn.gz"])
def test_a_log_that_cannot_be_read_is_said_so(export, tmp_path, name):
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    if name == "torn.gz":
        path.write_bytes(gzip.compress(json.dumps(LINE).encode() * 99)[:-9])
    found = drift(export, path)
    assert found.exit_code == 2
    assert f"{path}: cannot be read (" in found.output


def test_an_empty_log_and_an_export_without_a_reference_are_refused(export, tmp_path):
    empty = tmp_path / "log"
    empty.touch()
    assert f"{empty}: expected scores, found none." in drift(export, empty).output
    bare = shutil.copytree(export, tmp_path / "bare")
    (bare / REFERENCE_FILE).unlink()
    found = drift(bare, empty)
    assert found.exit_code == 2
    assert f"{bare / REFERENCE_FILE}: not found. Fetch the whole export" in found.output
    (bare / REFERENCE_FILE).write_text("nothing")
    assert "not readable as scores" in drift(bare, empty).output
    write_reference(bare, {name: [] for name in LINE if name not in ("weights", "format")})
    found = drift(bare, write(empty, lines(3)))
    assert found.exit_code == 2
    assert "expected scores of test rows, found none" in found.output


def test_a_long_log_is_read_line_by_line(export, tmp_path):
    path = write(tmp_path / "log", lines(10))
    seen = iter(Logs([path, tmp_path / "missing"]))
    assert [next(seen)[0] for _ in range(10)] == [f"{path}:{n}" for n in range(1, 11)]
    assert read_contract(export).origin.weights == WEIGHTS


def test_the_help_tells_the_statuses():
    found = CliRunner().invoke(app, ["drift", "--help"]).output
    assert "Exit status 0: no drift found; 1: drift; 2:" in " ".join(found.split())
