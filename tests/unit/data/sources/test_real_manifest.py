"""The manifest source on real rows, where they lie beside the checkout."""

import os
from pathlib import Path

import pytest

from fuseline.config import Section, load_section
from fuseline.contracts import EXAMPLES, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.params.ingest import IngestParams
from tests.support.repository import PARAMS_FILE

DATA = os.environ.get("FUSELINE_TEST_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="FUSELINE_TEST_DATA is not set")


def changed(section: Section, **values: object) -> Section:
    return section.model_copy(update=values)


def test_banking77_is_kept_row_for_row(tmp_path):
    params = load_section("ingest", IngestParams, PARAMS_FILE)
    columns = changed(params.manifest.columns, image=None, label="category")
    file = Path(DATA or "") / "banking77" / "train.csv"
    manifest = changed(params.manifest, path=str(file), columns=columns)
    metrics = ingest_examples(
        changed(params, source="manifest", manifest=manifest),
        tmp_path / "examples",
        tmp_path / "quarantine",
        raw=file.parent,
    )
    assert metrics["rows_in"] == 10003
    assert metrics["rows_in"] == metrics["rows_kept"] + metrics["rows_quarantined"]
    assert metrics["num_labels"] == 77
    assert metrics["rows_kept"] > 9900
    table = read_table(tmp_path / "examples", EXAMPLES, "examples", ["example_id", "image"])
    assert len(set(table.column("example_id").to_pylist())) == metrics["rows_kept"]
    assert table.column("image").null_count == metrics["rows_kept"]
