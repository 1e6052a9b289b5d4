"""The whole of `ingest`, on manifests made here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from fuseline.contracts import (
    EXAMPLES,
    QUARANTINE,
    hash_file,
    hash_path,
    read_manifest,
    read_table,
)
from fuseline.data.ingest import ingest_examples
from fuseline.data.ingest.refusal import REASONS
from fuseline.errors import ContractError
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]
WriteCsv = Callable[[list[dict[str, str]]], Path]
Row = dict[str, str]


def _good(number: int, **changes: str) -> Row:
    row = {"id": f"r{number}", "text": f"text {number}", "image": "good.png", "label": "x"}
    return row | {"part": ""} | changes


def _refused(metrics: dict[str, Any]) -> dict[str, int]:
    """Counts by reason, for the reasons that occurred."""
    assert set(metrics["quarantined"]) == set(REASONS)
    return {reason: rows for reason, rows in metrics["quarantined"].items() if rows}


@pytest.fixture
def run(
    build_params: Build, write_csv: WriteCsv, tmp_path: Path
) -> Callable[..., tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]]:
    """Ingest rows; return metrics, examples and quarantine."""

    def ingest(rows: list[Row], columns: dict[str, Any] | None = None, **changes: Any) -> Any:
        mapped = {"id": "id", "split": "part" if "part" in rows[0] else None}
        manifest = {"path": str(write_csv(rows)), "columns": mapped | (columns or {})}
        params = build_params(source="manifest", manifest=manifest, **changes)
        folders = tmp_path / "examples", tmp_path / "quarantine"
        metrics = ingest_examples(params, *folders, raw=tmp_path / "raw")
        examples = read_table(folders[0], EXAMPLES, "examples").to_pylist()
        refused = read_table(folders[1], QUARANTINE, "quarantine").to_pylist()
        assert metrics["rows_in"] == len(rows)
        assert metrics["rows_in"] == metrics["rows_kept"] + metrics["rows_quarantined"]
        assert (metrics["rows_kept"], metrics["rows_quarantined"]) == (len(examples), len(refused))
        return metrics, examples, refused

    return ingest


Run = Callable[..., tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]]

BAD_ROWS = {
    "missing_media": {"image": "nowhere.png"},
    "unsafe_path": {"image": "../rows.csv"},
    "unreadable_image": {"image": "rows.csv"},
    "oversized_image": {"image": "wide.png"},
    "empty_text": {"text": " \u200b ", "image": ""},
    "oversized_text": {"text": "long " * 5000},
    "unknown_label": {"label": "  "},
    "unknown_split": {"part": "eval"},
    "rare_label": {"label": "seldom"},
    "duplicate_id": {"id": "r0"},
    "malformed_row": {"id": ""},
}


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_bad_row_goes_to_quarantine_with_its_reason(
    run: Run, write_csv: WriteCsv, tmp_path: Path, reason: str
) -> None:
    Image.new("1", (7000, 7000)).save(tmp_path / "raw" / "wide.png")
    rows = [*(_good(number) for number in range(4)), _good(4, **BAD_ROWS[reason]), _good(5)]
    metrics, examples, refused = run(rows)
    assert _refused(metrics) == {reason: 1}
    assert [row["source_row"] for row in examples] == [0, 1, 2, 3, 5]
    assert (refused[0]["source_row"], refused[0]["reason"]) == (4, reason)
    assert refused[0]["detail"].endswith(".")
    raw = json.loads(refused[0]["raw"])
    key, value = next(iter(BAD_ROWS[reason].items()))
    assert (raw[key] or "").startswith(value[:500])


def test_all_bad_rows_together(run: Run, tmp_path: Path) -> None:
    Image.new("1", (7000, 7000)).save(tmp_path / "raw" / "wide.png")
    bad = [_good(10 + i, **changes) for i, changes in enumerate(BAD_ROWS.values())]
    good = [_good(number) for number in range(8)]
    metrics, examples, _ = run([*good, *bad], max_quarantined_share=0.9, shard_rows=8)
    assert _refused(metrics) == dict.fromkeys(sorted(BAD_ROWS), 1)
    assert len(examples) == 8


def test_kept_row_holds_what_the_manifest_says(run: Run, tmp_path: Path) -> None:
    metrics, examples, _ = run([_good(number) for number in range(3)])
    picture = (tmp_path / "raw" / "good.png").read_bytes()
    assert examples[0] == {
        "example_id": "r0",
        "source_row": 0,
        "split": "test",
        "group": "r0",
        "text": "text 0",
        "label": "x",
        "lang": None,
        "image": {"bytes": picture, "path": "good.png"},
        "audio": None,
        "video": None,
        "tabular": None,
        "targets": None,
        "license": None,
        "provenance": None,
        "sanitised": [],
        "findings": ["image:constant"],
    }
    assert metrics["labels"] == {"x": 3}
    assert metrics["modalities"] == {"text": 3, "image": 3, "audio": 0, "video": 0, "tabular": 0}
    assert sum(metrics["splits"].values()) == 3
    facts = read_manifest(tmp_path / "examples", "examples")
    assert (facts["source"], facts["labels"], facts["languages"]) == ("manifest", ["x"], [])
    assert read_manifest(tmp_path / "quarantine", "quarantine")["rows"] == 0


def test_the_test_rows_of_others_stay_the_test_rows(run: Run) -> None:
    """As with the files that a data set's authors give: test rows first, all others blank."""
    tests = [_good(number, image="", part="test") for number in range(20)]
    others = [_good(number, image="") for number in range(20, 120)]
    copies = [
        _good(200, text="text 0", image=""),
        _good(201, text="text 1", image="", part="train"),
    ]
    shares = {"train": 0.8, "dev": 0.2, "test": 0.0}
    metrics, examples, refused = run([*tests, *others, *copies], split=shares)
    assert [row["split"] for row in examples[:20]] == ["test"] * 20
    assert {row["split"] for row in examples[20:120]} == {"train", "dev"}
    assert (examples[120]["group"], examples[120]["split"]) == ("r0", "test")
    assert _refused(metrics) == {"straddles_splits": 1}
    assert refused[0]["detail"] == (
        "Its own split is train, but it copies row 'r1' in test by all that it holds."
    )
    assert metrics["splits"]["test"] == 21


def test_sanitised_row_says_what_was_changed(run: Run, tmp_path: Path) -> None:
    Image.new("P", (4, 4)).save(tmp_path / "raw" / "palette.png")
    odd = _good(0, text="a\0b ", label=" x ", image="palette.png")
    metrics, examples, _ = run([odd, _good(1), _good(2)])
    assert (examples[0]["text"], examples[0]["label"]) == ("ab", "x")
    assert sorted(examples[0]["sanitised"]) == [
        "image:mode_P",
        "label:whitespace",
        "text:control_characters",
        "text:whitespace",
    ]
    assert metrics["sanitised"] == dict.fromkeys(sorted(examples[0]["sanitised"]), 1)
    assert metrics["rows_sanitised"] == 1


def test_row_without_a_picture_is_kept_for_its_text(run: Run) -> None:
    metrics, examples, _ = run([_good(0, image=""), _good(1), _good(2)])
    assert examples[0]["image"] is None
    assert (metrics["modalities"]["text"], metrics["modalities"]["image"]) == (3, 2)


def test_picture_only_data(run: Run) -> None:
    rows = [{"id": str(n), "image": name} for n, name in enumerate(["good.png", "", "good.png"])]
    metrics, examples, refused = run(rows, {"text": None, "label": None})
    assert [row["text"] for row in examples] == [None, None]
    assert (metrics["num_labels"], metrics["labels"]) == (0, {})
    assert (refused[0]["reason"], refused[0]["detail"]) == (
        "missing_media",
        "The row has neither text nor a medium.",
    )


def test_ids_of_refused_rows_stay_free(run: Run) -> None:
    metrics, examples, _ = run([_good(0, text="", image=""), _good(0), _good(1), _good(2)])
    assert _refused(metrics) == {"empty_text": 1}
    assert examples[0]["example_id"] == "r0"


def test_rare_labels_are_those_of_kept_rows(run: Run) -> None:
    """A label whose rows are mostly refused is rare, though the source has enough of them."""
    rows = [_good(n) for n in range(6)] + [
        _good(6, label="y"),
        _good(7, label="y", image="nowhere.png"),
        _good(8, label="y"),
    ]
    metrics, _, refused = run(rows, shard_rows=8)
    assert _refused(metrics) == {"missing_media": 1, "rare_label": 2}
    assert metrics["labels"] == {"x": 6}
    assert [row["source_row"] for row in refused] == [6, 7, 8]
    assert refused[0]["detail"] == "Only 2 row(s) could be kept with the label 'y'."


def test_row_without_text_is_kept_for_its_picture(run: Run) -> None:
    metrics, examples, _ = run([_good(0, text=" \u200b "), _good(1), _good(2)])
    assert (examples[0]["text"], examples[0]["sanitised"]) == (None, ["text:empty"])
    assert metrics["modalities"]["text"] == 2


def test_a_shard_whose_rows_are_all_refused_is_not_there(run: Run, tmp_path: Path) -> None:
    rows = [_good(n, label="rare" if n in (8, 9) else "x") for n in range(10)]
    rows += [_good(n, image="nowhere.png") for n in range(10, 16)] + [_good(16)]
    run(rows, shard_rows=8)
    assert read_manifest(tmp_path / "examples", "examples")["shards"] == [
        "00000.parquet",
        "00002.parquet",
    ]
    assert not (tmp_path / "examples" / "00001.parquet").exists()
    quarantined = pq.read_table(tmp_path / "quarantine" / "00001.parquet")["source_row"]
    assert quarantined.to_pylist() == list(range(8, 16))


def test_second_run_writes_the_same_bytes(build_params: Build, tmp_path: Path) -> None:
    params = build_params(source="synthetic", synthetic={"num_rows": 40}, shard_rows=16)
    for name in ("first", "second"):
        ingest_examples(params, tmp_path / name / "e", tmp_path / name / "q", raw=tmp_path)
    assert hash_path(tmp_path / "first") == hash_path(tmp_path / "second")


def test_appended_rows_leave_full_shards_as_they_were(build_params: Build, tmp_path: Path) -> None:
    for rows in (40, 60):
        params = build_params(source="synthetic", synthetic={"num_rows": rows}, shard_rows=16)
        ingest_examples(params, tmp_path / str(rows) / "e", tmp_path / "q", raw=tmp_path)
    for shard in ("00000.parquet", "00004.parquet"):
        assert hash_file(tmp_path / "40" / "e" / shard) == hash_file(tmp_path / "60" / "e" / shard)
    assert len(list((tmp_path / "60" / "e").glob("*.parquet"))) == 8


def test_nothing_kept_stops_with_the_reasons(run: Run) -> None:
    with pytest.raises(ContractError) as error:
        run([_good(n, text="", image="") for n in range(3)])
    assert "expected at least one row to keep, found 0 of 3 rows kept" in str(error.value)
    # No share of refused rows lets a table pass that has none left.
    assert "max_quarantined_share" not in str(error.value)
    assert "empty_text" in str(error.value)


def test_table_without_rows_stops(run: Run, build_params: Build, tmp_path: Path) -> None:
    (tmp_path / "raw" / "empty.csv").write_text("text,image,label\n")
    params = build_params(source="manifest", manifest={"path": str(tmp_path / "raw" / "empty.csv")})
    with pytest.raises(ContractError, match="found 0 of 0 rows kept"):
        ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=tmp_path / "raw")


def test_too_many_refused_stops_with_the_reasons(run: Run) -> None:
    rows = [_good(n, **({"text": "", "image": ""} if n % 3 else {})) for n in range(9)]
    with pytest.raises(ContractError) as error:
        run(rows)
    message = str(error.value)
    assert "expected less than 50% of the rows quarantined, found 3 of 9 rows kept" in message
    assert "ingest.max_quarantined_share" in message
    assert "empty_text" in message


def test_summary_is_printed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run([_good(0), _good(1), _good(2), _good(3, image="nowhere.png")])
    printed = capsys.readouterr()
    lines = [line.split()[:2] for line in printed.out.splitlines()]
    assert ["kept", "3"] in lines
    assert ["missing_media", "1"] in lines
    assert "'nowhere.png' is no file" in printed.out
    assert "lies outside" not in printed.err


def test_manifest_outside_the_watched_folder_is_warned_about(
    build_params: Build, write_csv: WriteCsv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_csv([_good(n) for n in range(3)])
    params = build_params(source="manifest", manifest={"path": str(path)})
    ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=tmp_path / "data" / "raw")
    assert "lies outside" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [0, 3])
def test_a_refused_run_leaves_its_evidence(
    build_params: Build,
    write_csv: WriteCsv,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kept: int,
) -> None:
    rows = [_good(n, **({} if n < kept else {"text": "", "image": ""})) for n in range(9)]
    params = build_params(
        source="manifest", manifest={"path": str(write_csv(rows)), "columns": {"id": "id"}}
    )
    evidence = tmp_path / "refused"
    folders = tmp_path / "e", tmp_path / "q"
    with pytest.raises(ContractError) as error:
        ingest_examples(params, *folders, raw=tmp_path / "raw", evidence=evidence)
    refused = read_table(evidence / "quarantine", QUARANTINE, "quarantine").to_pylist()
    assert [row["source_row"] for row in refused] == list(range(kept, 9))
    figures = json.loads((evidence / "ingest.json").read_text())
    assert (figures["rows_in"], figures["rows_quarantined"]) == (9, 9 - kept)
    assert "refused/quarantine, the figures in" in str(error.value)
    # The table of reasons is printed, and the message does not repeat it.
    assert "rows in" in capsys.readouterr().out
    assert "rows in " not in str(error.value)
    params = build_params(source="synthetic", synthetic={"num_rows": 40})
    ingest_examples(
        params, tmp_path / "e2", tmp_path / "q2", raw=tmp_path / "raw", evidence=evidence
    )
    assert not evidence.exists()


def test_half_of_the_rows_are_too_many(run: Run) -> None:
    rows = [_good(n, **({"text": "", "image": ""} if n % 2 else {})) for n in range(8)]
    with pytest.raises(ContractError, match="found 4 of 8 rows kept"):
        run(rows)


def test_rows_that_are_none_do_not_pass_unseen(
    build_params: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"text {n},x" if n % 5 else f"text {n}" for n in range(40)]
    path.write_text("\n".join(["text;label".replace(";", ","), *lines, "", ""]))
    params = build_params(
        source="manifest", manifest={"path": str(path), "columns": {"image": None}}
    )
    metrics = ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=tmp_path)
    (note,) = metrics["notes"]
    assert note.startswith(
        "8 of 40 rows cannot be read as the file's format demands; row 0: line 2"
    )
    assert f"look at: {note}" in capsys.readouterr().out
    assert metrics["lines"] == {"all": 42, "header": 1, "blank": 1, "further_lines_of_rows": 0}


@pytest.mark.parametrize("field", ["id", "text", "image", "label", "part", "group", "stars"])
def test_no_message_prints_more_than_a_piece_of_a_cell(
    build_params: Build, write_csv: WriteCsv, tmp_path: Path, field: str
) -> None:
    """Cells as long as a picture in base64, one row that cannot be kept for each."""
    long = "-_" * 9_000
    extra = {"group": "", "stars": ""}
    rows = [_good(n, **extra) for n in range(12)]
    rows += [_good(n + 20, **(extra | {field: long})) for n in range(2)]
    columns = {"id": "id", "split": "part", "group": "group", "targets": {"stars": "number"}}
    params = build_params(
        source="manifest",
        manifest={"path": str(write_csv(rows)), "columns": columns},
        limits={"max_text_characters": 20_000},
    )
    ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=tmp_path / "raw")
    refused = read_table(tmp_path / "q", QUARANTINE, "quarantine").to_pylist()
    assert bool(refused) == (field not in ("text", "group"))
    assert all(len(row["detail"]) < 300 for row in refused)
