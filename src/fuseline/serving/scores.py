"""What a log of scores holds of an answered row: how it was answered, and nothing of what it was.

A line of JSON a row, by which `fuseline drift` compares rows in use with the test rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from fuseline.errors import ConfigError
from fuseline.serving.contract import ExportContract

REFERENCE_FILE = "reference.parquet"
SCORES = pa.schema(
    [
        pa.field("label", pa.string()),
        pa.field("confidence", pa.float64()),
        pa.field("sure", pa.bool_()),
        pa.field("out_of_scope", pa.float64(), nullable=False),
        pa.field("in_scope", pa.bool_(), nullable=False),
        pa.field("present", pa.list_(pa.string()), nullable=False),
    ]
)
_COLUMNS = {"label": "label", "confidence": "probability", "sure": "sure"}
# Columns of answers that are read: others may be large.
_READ = {*_COLUMNS.values(), "out_of_scope", "in_scope"}
Line = dict[str, Any]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]


class Score(BaseModel):
    """One line.

    Attributes:
        weights: SHA-256 of the weights that answered.
        format: of the graph, `onnx` or `int8`.
        label, confidence: the likeliest label and its calibrated probability; null where the first
            task is no classification.
        sure: whether that is enough to answer by; null where nothing says so.
        out_of_scope, in_scope: how far off the row lies, and whether that is near enough.
        present: modalities that the row has.
        time: of the answer, in logs of a server.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    weights: str
    format: str
    label: str | None
    confidence: Unit | None
    sure: bool | None
    out_of_scope: Unit
    in_scope: bool
    present: list[str]
    time: str | None = None


def scored(
    contract: ExportContract, form: str, answers: pa.Table, present: Mapping[str, np.ndarray]
) -> list[Line]:
    """Lines of N answers.

    Args:
        contract: of the export.
        form: of the graph.
        answers: to the N rows.
        present: (N,) bool by modality.
    """
    origin = {"weights": contract.origin.weights, "format": form}
    read = [name for name in answers.column_names if name in _READ]
    columns = score_columns(contract, answers.select(read).to_pydict(), present, answers.num_rows)
    return [
        origin | dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]


def as_lines(scores: Sequence[Line]) -> str:
    """Lines as a log has them."""
    return "".join(f"{json.dumps(score, ensure_ascii=False)}\n" for score in scores)


def score_columns(
    contract: ExportContract,
    answers: Mapping[str, list[Any]],
    present: Mapping[str, np.ndarray],
    rows: int,
) -> dict[str, list[Any]]:
    """The columns of `SCORES` of N rows, from those of their answers."""
    is_class = contract.tasks[0].kind == "classification"
    found: dict[str, list[Any]] = {
        name: answers[column] if is_class and column in answers else [None] * rows
        for name, column in _COLUMNS.items()
    }
    there = [name for name in contract.modalities if name in present]
    return found | {
        "out_of_scope": answers["out_of_scope"],
        "in_scope": answers["in_scope"],
        "present": [[name for name in there if present[name][row]] for row in range(rows)],
    }


def write_reference(folder: Path, columns: Mapping[str, list[Any]]) -> None:
    """Write the scores of the test rows beside the export that gave them, without their order."""
    table = pa.table(dict(columns), schema=SCORES)
    order = [(name, "ascending") for name in ("label", "confidence", "out_of_scope")]
    pq.write_table(table.sort_by(order), folder / REFERENCE_FILE, compression="zstd")


def read_reference(folder: Path) -> list[Line]:
    """The scores of the test rows.

    Raises:
        ConfigError: the export has none, or they cannot be read.
    """
    path = folder / REFERENCE_FILE
    remedy = "Fetch the whole export with `dvc pull`, or make it with `dvc repro export`."
    try:
        rows: list[Line] = pq.read_table(path, schema=SCORES).to_pylist()
    except FileNotFoundError:
        raise ConfigError(f"{path}: not found. {remedy}") from None
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"{path}: not readable as scores: {error}. {remedy}") from None
    return rows
