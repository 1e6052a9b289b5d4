"""Rows that come later leave both tables as they were, but for the last shard of a file."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fuseline.contracts import EXAMPLES, hash_file, read_table
from fuseline.data.ingest import ingest_examples, run
from fuseline.params.ingest import IngestParams

Build = Callable[..., IngestParams]
TABLES = ("examples", "quarantine")
FIELDS = ["id", "text", "image", "label"]


def rows(first: int, last: int) -> list[list[str]]:
    """Distinct rows, of which every fifth is refused, every seventh copies an earlier text."""
    return [
        [
            str(n),
            "" if n % 5 == 0 else f"a message about number {n - 6 if n % 7 == 0 else n} of many",
            "nowhere.png" if n % 5 == 0 else "",
            "xyz"[n % 3],
        ]
        for n in range(first, last)
    ]


def write(path: Path, content: list[list[str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([FIELDS, *content])


@pytest.fixture
def ingest(build_params: Build, tmp_path: Path) -> Callable[[str], dict[str, dict[str, str]]]:
    """Ingest `raw/` and return the hashes of the shards by table."""

    def to_hashes(name: str) -> dict[str, dict[str, str]]:
        manifest = {"path": str(tmp_path / "raw"), "columns": {"id": "id"}}
        params = build_params(source="manifest", manifest=manifest, shard_rows=64)
        folders = [tmp_path / name / table for table in TABLES]
        ingest_examples(params, *folders, raw=tmp_path / "raw")
        return {
            folder.name: {path.name: hash_file(path) for path in folder.glob("*.parquet")}
            for folder in folders
        }

    return to_hashes


def test_new_file_leaves_every_shard_as_it_was(
    ingest: Callable[[str], dict[str, dict[str, str]]], tmp_path: Path
) -> None:
    write(tmp_path / "raw" / "2026-01.csv", rows(0, 150))
    before = ingest("before")
    write(tmp_path / "raw" / "2026-02.csv", rows(150, 171))
    after = ingest("after")
    for table in TABLES:
        assert len(before[table]) > 10
        assert before[table].items() <= after[table].items()
        assert len(after[table]) == len(before[table]) + 3


def test_appended_rows_write_the_last_shard_anew(
    ingest: Callable[[str], dict[str, dict[str, str]]], tmp_path: Path
) -> None:
    write(tmp_path / "raw" / "rows.csv", rows(0, 150))
    before = ingest("before")
    write(tmp_path / "raw" / "rows.csv", rows(0, 160))
    after = ingest("after")
    for table in TABLES:
        changed = before[table].items() - after[table].items()
        assert {name for name, _ in changed} == {max(before[table])}


def test_blocks_leave_no_trace(
    ingest: Callable[[str], dict[str, dict[str, str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path / "raw" / "rows.csv", rows(0, 150))
    whole = ingest("whole")
    monkeypatch.setattr(run, "BLOCK_ROWS", 7)
    assert ingest("sevens") == whole


def test_heavy_media_are_spread_over_shards_and_blocks(
    build_params: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raw").mkdir()
    for n in range(12):
        Image.effect_noise((40, 40), 10 + n).save(tmp_path / "raw" / f"{n}.png")
    write(tmp_path / "raw" / "rows.csv", [[str(n), "", f"{n}.png", "x"] for n in range(12)])
    size = (tmp_path / "raw" / "5.png").stat().st_size
    monkeypatch.setattr("fuseline.data.ingest.shards.MAX_SHARD_MEDIA_BYTES", 3 * size)
    monkeypatch.setattr(run, "BLOCK_MEDIA_BYTES", 2 * size)
    manifest = {"path": str(tmp_path / "raw" / "rows.csv"), "columns": {"id": "id", "text": None}}
    params = build_params(source="manifest", manifest=manifest)
    metrics = ingest_examples(
        params, tmp_path / "examples", tmp_path / "quarantine", raw=tmp_path / "raw"
    )
    assert metrics["rows_kept"] == 12
    assert 4 <= len(list((tmp_path / "examples").glob("*.parquet"))) <= 8
    table = read_table(tmp_path / "examples", EXAMPLES, "examples")
    assert table["source_row"].to_pylist() == list(range(12))
