"""What an evaluation writes for others to read: predictions, and data for `dvc plots`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fuseline.contracts import TableWriter, predictions_schema, shard_name
from fuseline.evaluation.calibration import Bin

if TYPE_CHECKING:
    # The report reads this module's file names: how models are fed is none of its business.
    from fuseline.dataset import MultimodalData

CONFUSION = "confusion.csv"
RELIABILITY = "reliability.csv"
ROBUSTNESS = "robustness.csv"

# With these a cell begins that a spreadsheet would run as a formula.
LIVE = ("=", "+", "-", "@", "\t", "\r")


def write_predictions(
    folder: Path, data: MultimodalData, probabilities: np.ndarray, model_name: str
) -> None:
    """Write the predictions table, sorted by `example_id`.

    Args:
        folder: of the new table.
        data: N labelled rows.
        probabilities: (N, C) float32 in the order of `data.label_names`.
        model_name: noted in the manifest beside the labels.
    """
    order = np.argsort(data.example_ids)
    names = np.array(data.label_names, dtype=object)
    schema = predictions_schema(len(names))
    columns = [
        pa.array([data.example_ids[row] for row in order]),
        pa.array(names[data.labels[order]], pa.string()),
        pa.array(names[probabilities[order].argmax(-1)], pa.string()),
        pa.FixedSizeListArray.from_arrays(
            pa.array(probabilities[order].ravel(), pa.float32()), len(names)
        ),
    ]
    writer = TableWriter(folder, schema, "predictions")
    writer.write(shard_name(0), pa.table(columns, names=schema.names))
    writer.finish(labels=data.label_names, model=model_name)


def write_plots(
    folder: Path,
    data: MultimodalData,
    predictions: np.ndarray,
    bins: list[Bin],
    curve: list[dict[str, Any]],
) -> None:
    """Write the CSV files that `dvc plots` and the report draw from."""
    folder.mkdir(parents=True, exist_ok=True)
    names = np.array([_inert(name) for name in data.label_names], dtype=object)
    confusion = pd.DataFrame({"actual": names[data.labels], "predicted": names[predictions]})
    confusion.sort_values(["actual", "predicted"]).to_csv(
        folder / CONFUSION, index=False, quoting=csv.QUOTE_ALL
    )
    _write_rows(folder / RELIABILITY, list(bins))
    _write_rows(folder / ROBUSTNESS, curve)


def _inert(label: str) -> str:
    """A label that a spreadsheet shows as text, whatever it begins with."""
    return f"'{label}" if label.startswith(LIVE) else label


def _write_rows(path: Path, rows: list[Any]) -> None:
    pd.DataFrame(rows).round(6).to_csv(path, index=False)
