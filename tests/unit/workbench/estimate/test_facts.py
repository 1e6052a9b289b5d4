"""Rows are those that were kept, or what the source says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuseline.config import read_yaml
from fuseline.data.sources import manifest
from fuseline.params.ingest import IngestParams
from fuseline.params.tokenize import TokenizeParams
from fuseline.params.whole import set_keys
from fuseline.workbench.estimate import facts
from fuseline.workbench.estimate.facts import counted, ingested
from tests.support.repository import PARAMS_FILE

CONTENT = read_yaml(PARAMS_FILE)
TOKENIZE = TokenizeParams.model_validate(CONTENT["tokenize"])


def params(**changes: object) -> IngestParams:
    content = read_yaml(PARAMS_FILE)
    set_keys(content, {f"ingest.{key.replace('__', '.')}": of for key, of in changes.items()})
    return IngestParams.model_validate(content["ingest"])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A CSV of 50 rows, each with a text of 40 characters."""
    path = tmp_path / "rows.csv"
    rows = "".join(f"{number},{'word ' * 8},{number % 2}\n" for number in range(50))
    path.write_text(f"id,text,label\n{rows}")
    return path


def of_table(path: Path) -> IngestParams:
    columns = {"id": "id", "text": "text", "image": None, "label": "label"}
    changed = {f"manifest__columns__{name}": value for name, value in columns.items()}
    return params(source="manifest", manifest__path=str(path), **changed)


def test_ingested_rows_are_those_of_the_metrics(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    kept = {
        "rows_kept": 1895,
        "splits": {"train": 1299, "dev": 307, "test": 289},
        "modalities": {"text": 1895, "image": 1895, "audio": 0, "video": 0, "tabular": 0},
        "num_labels": 9,
    }
    (tmp_path / "metrics" / "ingest.json").write_text(json.dumps({"details": [kept]}))
    found = ingested(tmp_path, TOKENIZE)
    assert (found.rows, found.splits["dev"], found.labels) == (1895, 307, 9)
    # Not tokenised yet: as long as texts may be.
    assert found.tokens == TOKENIZE.max_length_tokens
    tokenized = tmp_path / "metrics" / "tokenize.json"
    # As an earlier version wrote it.
    tokenized.write_text('{"mean_length_tokens": 4.4}')
    assert ingested(tmp_path, TOKENIZE).tokens == 4.4
    assert ingested(tmp_path, TOKENIZE).encoder is None
    tokenized.write_text('{"mean_length_tokens": 4.4, "encoder": "characters"}')
    assert ingested(tmp_path, TOKENIZE).encoder == "characters"
    assert found.told == "1,895 rows of data/examples"


def test_a_source_that_knows_its_rows_is_asked() -> None:
    asked = params(source="synthetic", synthetic__num_rows=600)
    found = counted(asked, TOKENIZE)
    assert (found.rows, found.held["text"], found.held["audio"]) == (600, 600, 0)
    assert found.splits == pytest.approx({"train": 420, "dev": 90, "test": 90})
    assert found.told == "600 rows of the source 'synthetic'"


def test_rows_of_a_table_are_counted(table: Path) -> None:
    found = counted(of_table(table), TOKENIZE)
    assert (found.rows, found.held["image"]) == (50, 0)
    # Forty characters, of which a word piece has four, in their frame.
    assert found.tokens == pytest.approx(12.0)


def test_a_source_that_takes_long_to_count_is_not_counted(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "COUNTED_SECONDS", 0.0)
    monkeypatch.setattr(manifest, "COUNTED_BYTES", 0)
    assert counted(of_table(table), TOKENIZE) is None
    found = counted(of_table(table), TOKENIZE, 10_000)
    assert found and found.rows == 10_000


def test_other_rows_are_like_these() -> None:
    found = counted(params(source="synthetic", synthetic__num_rows=600), TOKENIZE).scaled(1200)
    assert (found.rows, found.held["image"]) == (1200, 1200)
    assert found.splits["train"] == pytest.approx(840)
    assert found.told == "1,200 rows, like 600 rows of the source 'synthetic'"
