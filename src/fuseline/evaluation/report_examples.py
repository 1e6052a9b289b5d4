"""Rows of the test split for the report: which to show, and what the models say of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.contracts import predictions_schema, read_manifest, read_table
from fuseline.evaluation.report_rows import RowContent, read_contents


@dataclass(frozen=True)
class Guess:
    """What one model says of a row, and how sure it is (0 to 1)."""

    model: str
    prediction: str
    confidence: float
    right: bool


@dataclass(frozen=True)
class Example:
    """A row to show."""

    content: RowContent
    label: str
    guesses: list[Guess]


def read_predictions(folder: Path) -> list[dict[str, Any]]:
    """Rows of a predictions table.

    Raises:
        ContractError: the table is unfinished or not what its contract says.
    """
    schema = predictions_schema(read_manifest(folder, "predictions")["width"])
    rows: list[dict[str, Any]] = read_table(folder, schema, "predictions").to_pylist()
    return rows


def choose_examples(
    predictions: dict[str, list[dict[str, Any]]], examples: Path, num_examples: int
) -> list[Example]:
    """Rows that the first model gets wrong, the surest first, and as many that it gets right.

    Args:
        predictions: rows by model's name, the same rows for each.
        examples: the examples table, for what the rows hold.
        num_examples: how many at most; where one kind is short, the other fills up.

    Raises:
        ContractError: a predicted row is not in the examples table.
    """
    first = next(iter(predictions.values()))
    chosen = _errors_and_others(first, num_examples)
    guesses = {name: {row["example_id"]: row for row in rows} for name, rows in predictions.items()}
    contents = read_contents(examples, {row["example_id"] for row in chosen})
    return [
        Example(
            content=contents[row["example_id"]],
            label=row["label"],
            guesses=[_guess(name, rows[row["example_id"]]) for name, rows in guesses.items()],
        )
        for row in chosen
    ]


def _errors_and_others(rows: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    wrong = [row for row in rows if row["prediction"] != row["label"]]
    right = [row for row in rows if row["prediction"] == row["label"]]
    wrong.sort(key=lambda row: (-max(row["probabilities"], default=0.0), row["example_id"]))
    # By hash: neighbours in the table look alike, and a generator would tie rows to their number.
    right.sort(key=lambda row: hashlib.sha256(row["example_id"].encode()).digest())
    num_wrong = min(len(wrong), max(number - number // 2, number - len(right)))
    return wrong[:num_wrong] + right[: number - num_wrong]


def _guess(model: str, row: dict[str, Any]) -> Guess:
    return Guess(
        model=model,
        prediction=row["prediction"],
        confidence=max(row["probabilities"], default=0.0),
        right=row["prediction"] == row["label"],
    )
