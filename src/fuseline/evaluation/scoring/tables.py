"""What an evaluation writes for others to read: predictions, and data for `dvc plots`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fuseline.contracts import TableWriter, predictions_schema, shard_name

if TYPE_CHECKING:
    # The report reads this module's file names: how models are fed is none of its business.
    from fuseline.data.dataset import MultimodalData

CONFUSION = "confusion.csv"
RELIABILITY = "reliability.csv"
ROBUSTNESS = "robustness.csv"
SELECTIVE = "selective.csv"

BIN_COLUMNS = ("condition", "low", "high", "count", "confidence", "accuracy")
CURVE_COLUMNS = ("scale", "robust_accuracy", "fgm_robust_accuracy", "attacked_share")
RISK_COLUMNS = ("condition", "coverage", "risk", "threshold")

# With these a cell begins that a spreadsheet would run as a formula.
LIVE = ("=", "+", "-", "@", "\t", "\r")


def write_predictions(
    folder: Path,
    data: MultimodalData,
    spelt: tuple[list[str], list[str]],
    probabilities: np.ndarray,
    model_name: str,
) -> None:
    """Write the predictions table, sorted by `example_id`.

    Args:
        folder: of the new table.
        data: N labelled rows.
        spelt: labels and predictions of the rows as text.
        probabilities: (N, K) behind the predictions.
        model_name: noted in the manifest beside the labels.
    """
    order = np.argsort(data.example_ids)
    labels, predictions = spelt
    width = probabilities.shape[1]
    schema = predictions_schema(width)
    columns = [
        pa.array([data.example_ids[row] for row in order]),
        pa.array([labels[row] for row in order], pa.string()),
        pa.array([predictions[row] for row in order], pa.string()),
        pa.array(list(probabilities[order]), schema.field("probabilities").type),
    ]
    writer = TableWriter(folder, schema, "predictions")
    writer.write(shard_name(0), pa.table(columns, names=schema.names))
    writer.finish(labels=data.label_names, width=width, model=model_name)


def write_plots(
    folder: Path,
    confused: tuple[list[str], list[str]],
    curve: list[dict[str, Any]],
    bins: list[dict[str, Any]],
    risks: list[dict[str, Any]],
) -> None:
    """Write the CSV files that `dvc plots` and the report draw from; those of a task that has no
    such plot hold their heading alone.

    Args:
        folder: of the files.
        confused: label and prediction of each row.
        curve: points of the robustness curve.
        bins: of the confidence, each with its `condition`: clean, calibrated, attack.
        risks: points of the risk–coverage curve, each with its `condition`: clean, attack.
    """
    folder.mkdir(parents=True, exist_ok=True)
    actual, predicted = ([_inert(name) for name in names] for names in confused)
    confusion = pd.DataFrame({"actual": actual, "predicted": predicted})
    confusion.sort_values(["actual", "predicted"]).to_csv(
        folder / CONFUSION, index=False, quoting=csv.QUOTE_ALL
    )
    _write_rows(folder / ROBUSTNESS, curve, CURVE_COLUMNS)
    _write_rows(folder / RELIABILITY, bins, BIN_COLUMNS)
    _write_rows(folder / SELECTIVE, risks, RISK_COLUMNS)


def _inert(label: str) -> str:
    """A label that a spreadsheet shows as text, whatever it begins with."""
    return f"'{label}" if label.startswith(LIVE) else label


def _write_rows(path: Path, rows: list[Any], columns: Sequence[str]) -> None:
    pd.DataFrame(rows, columns=list(columns)).round(6).to_csv(path, index=False)
