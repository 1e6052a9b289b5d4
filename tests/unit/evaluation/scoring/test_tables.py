from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest

from fuseline.contracts import hash_path, predictions_schema, read_manifest, read_table
from fuseline.evaluation.scoring.tables import write_plots, write_predictions
from fuseline.learning.probabilities import softmax
from fuseline.learning.tasks.classification import Classification

CURVE = [
    {
        "scale": 1.0,
        "robust_accuracy": 1 / 3,
        "fgm_robust_accuracy": 0.5,
        "attacked_share": 1.0,
    }
]

BINS = [
    {"condition": c, "low": 0.0, "high": 1.0, "count": 3, "confidence": 0.75, "accuracy": 0.5}
    for c in ("clean", "calibrated", "attack")
]
RISKS = [
    {"condition": c, "coverage": 0.5, "risk": 0.25, "threshold": 0.75} for c in ("clean", "attack")
]


@pytest.fixture
def rows(make_data):
    data = make_data(10, 3, example_ids=[f"id{9 - row}" for row in range(10)])
    logits = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    task = Classification("label", {"labels": data.label_names})
    return data, task, logits


def test_predictions_are_sorted_and_keep_their_rows_together(tmp_path, rows):
    data, task, logits = rows
    probabilities = softmax(logits)
    write_predictions(tmp_path, data, task.spelt(logits, data), probabilities, "finetuned")
    table = read_table(tmp_path, predictions_schema(3), "predictions").to_pylist()
    assert [row["example_id"] for row in table] == sorted(data.example_ids)
    for row in table:
        place = data.example_ids.index(row["example_id"])
        assert row["label"] == data.label_names[data.labels[place]]
        assert row["probabilities"] == probabilities[place].tolist()
        assert row["prediction"] == data.label_names[probabilities[place].argmax()]
    manifest = read_manifest(tmp_path, "predictions")
    assert (manifest["labels"], manifest["model"]) == (data.label_names, "finetuned")


def test_the_same_predictions_give_the_same_bytes(tmp_path, rows):
    data, task, logits = rows
    spelt = task.spelt(logits, data)
    for name in ("one", "two"):
        write_predictions(tmp_path / name, data, spelt, task.probabilities(logits), "finetuned")
    assert hash_path(tmp_path / "one") == hash_path(tmp_path / "two")


def test_plots_hold_one_confusion_row_per_example(tmp_path, rows):
    data, task, logits = rows
    predicted = logits.argmax(-1)
    write_plots(tmp_path, task.spelt(logits, data), CURVE, BINS, RISKS)
    confusion = pd.read_csv(tmp_path / "confusion.csv")
    assert list(confusion.columns) == ["actual", "predicted"]
    assert len(confusion) == 10
    right = (confusion["actual"] == confusion["predicted"]).mean()
    assert right == (predicted == data.labels).mean()
    assert pd.read_csv(tmp_path / "robustness.csv").to_dict("records") == [
        CURVE[0] | {"robust_accuracy": 0.333333}
    ]
    assert pd.read_csv(tmp_path / "reliability.csv").to_dict("records") == BINS
    assert pd.read_csv(tmp_path / "selective.csv").to_dict("records") == RISKS


def test_a_task_without_such_plots_leaves_their_headings(tmp_path):
    write_plots(tmp_path, ([], []), [], [], [])
    assert (tmp_path / "selective.csv").read_text() == "condition,coverage,risk,threshold\n"
    assert len(pd.read_csv(tmp_path / "reliability.csv")) == 0


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_label_is_no_formula_in_a_spreadsheet(tmp_path, label):
    names = [label, "plain=1"]
    write_plots(tmp_path, (names, names), CURVE, [], [])
    with (tmp_path / "confusion.csv").open(newline="") as file:
        cells = {cell for row in list(csv.reader(file))[1:] for cell in row}
    assert cells == {f"'{label}", "plain=1"}


def test_softmax_survives_large_logits():
    found = softmax(np.array([[1e4, 0.0], [0.0, 0.0]], dtype=np.float32))
    assert found.tolist() == [[1.0, 0.0], [0.5, 0.5]]
    assert found.dtype == np.float32
    assert json.dumps(found.tolist())
