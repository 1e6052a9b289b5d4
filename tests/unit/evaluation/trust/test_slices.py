from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fuseline.contracts import EXAMPLES, TableWriter
from fuseline.errors import ConfigError
from fuseline.evaluation.trust.intervals import Figures, macro_f1_score
from fuseline.evaluation.trust.slices import measure_slices, read_slice_columns

IDS = ["row0", "row1", "row2"]


@pytest.fixture
def examples(tmp_path) -> Path:
    rows = [
        dict.fromkeys(EXAMPLES.names)
        | {
            "example_id": f"row{row}", "source_row": row, "split": "test", "group": "g",
            "lang": lang, "provenance": "a shop", "sanitised": [], "findings": [],
            "tabular": [("size", f"{row}")] if row != 1 else None,
            "targets": [("kind", "x")] if row == 0 else None,
        }
        for row, lang in enumerate(["en", None, "de", "fr"])
    ]  # fmt: skip
    writer = TableWriter(tmp_path, EXAMPLES, "examples")
    for start in (0, 2):
        part = pa.Table.from_pylist(rows[start : start + 2], schema=EXAMPLES)
        writer.write(f"{start:05d}.parquet", part)
    writer.finish(source="manifest")
    return tmp_path


def test_values_are_read_in_the_order_of_the_rows(examples):
    found = read_slice_columns(examples, IDS[::-1], ["size", "kind", "lang"])
    assert found == {
        "lang": ["de", None, "en"],
        "provenance": ["a shop"] * 3,
        "size": ["2", None, "0"],
        "kind": [None, None, "x"],
    }


def test_a_column_that_no_test_row_has_is_refused(examples):
    wrong = r"trust\.slices\[1\]: expected a column .*\(kind, lang, provenance, size\); found 'siz'"
    with pytest.raises(ConfigError, match=rf"{wrong}\. Did you mean 'size'\?"):
        read_slice_columns(examples, IDS, ["size", "siz"])


def sliced(values: list[str | None], labels: list[int], predicted: list[int], **changes) -> dict:
    known, found = np.array(labels), np.array(predicted)

    def figures_of(rows: np.ndarray) -> Figures:
        right = int((known[rows] == found[rows]).sum())
        score = macro_f1_score(known[rows], found[rows], 3)
        return Figures(len(rows), {"accuracy": (right, len(rows))}, score)

    fixed = {"min_rows": 2, "num_resamples": 50, "seed": 0} | changes
    return measure_slices({"shop": values}, figures_of, **fixed)["shop"]


def test_slices_and_their_gap_are_the_closed_ones():
    values = ["b", "b", "a", "a", None, None]
    found = sliced(values, [0, 1, 0, 1, 0, 0], [0, 1, 0, 0, 1, 1])
    by_value = {one["value"]: one for one in found["slices"]}
    assert [one["value"] for one in found["slices"]] == [None, "a", "b"]
    assert [by_value[v]["accuracy"] for v in ("b", "a", None)] == [1.0, 0.5, 0.0]
    # Class 2 occurs nowhere and is left out; in "a" class 0 has F1 2/3, class 1 none.
    assert by_value["b"]["macro_f1"] == 1.0
    assert by_value["a"]["macro_f1"] == pytest.approx(1 / 3)
    assert found["gap"] == {"accuracy": 1.0, "macro_f1": 1.0}
    assert found["rows_left_out"] == 0
    for one in found["slices"]:
        assert one["rows"] == 2
        for name, interval in one["intervals"].items():
            assert interval["low"] <= one[name] <= interval["high"]


def test_slices_of_fewer_rows_are_left_out():
    found = sliced(["a", "a", "b", "c"], [0, 1, 2, 0], [0, 1, 2, 0])
    assert [one["value"] for one in found["slices"]] == ["a"]
    assert found["rows_left_out"] == 2
    assert found["gap"] == {"accuracy": 0.0, "macro_f1": 0.0}


def test_without_a_slice_there_is_no_gap():
    found = sliced(["a", "b"], [0, 1], [0, 1])
    assert found == {"slices": [], "rows_left_out": 2, "gap": {}}
