"""Rows of the test split for the report: which to show, and what the models say of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.contracts import predictions_schema, read_manifest, read_table
from fuseline.reporting.sections.rows import RowContent, read_contents


@dataclass(frozen=True)
class Guess:
    """What one model says of a row.

    Attributes:
        confidence: how sure it is (0 to 1); None where nothing says so.
        right: whether it is the row's label; None for numbers, which are more or less right.
        error: how far a number lies from the label; None for all else.
    """

    model: str
    prediction: str
    confidence: float | None
    right: bool | None
    error: float | None


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
    predictions: dict[str, list[dict[str, Any]]],
    examples: Path,
    num_examples: int,
    *,
    are_sure: bool,
) -> list[Example]:
    """Rows that the first model gets wrong, the surest first, and as many that it gets right; of
    numbers the largest errors, and as many others. Without labels there are none.

    Args:
        predictions: rows by model's name, the same rows for each.
        examples: the examples table, for what the rows hold.
        num_examples: how many at most; where one kind is short, the other fills up.
        are_sure: whether the largest probability says how sure a model is.

    Raises:
        ContractError: a predicted row is not in the examples table.
    """
    first = [row for row in next(iter(predictions.values())) if row["label"]]
    chosen = _errors_and_others(first, num_examples, are_sure)
    guesses = {name: {row["example_id"]: row for row in rows} for name, rows in predictions.items()}
    contents = read_contents(examples, {row["example_id"] for row in chosen})
    return [
        Example(
            content=contents[row["example_id"]],
            label=row["label"],
            guesses=[
                _guess(name, rows[row["example_id"]], are_sure) for name, rows in guesses.items()
            ],
        )
        for row in chosen
    ]


def _errors_and_others(
    rows: list[dict[str, Any]], number: int, are_sure: bool
) -> list[dict[str, Any]]:
    errors = [_error(row) for row in rows]
    if None not in errors:
        ranked = sorted(rows, key=lambda row: (-(_error(row) or 0.0), row["example_id"]))
        half = number - number // 2
        return ranked[:half] + sorted(ranked[half:], key=_by_hash)[: number - half]
    wrong = [row for row in rows if not _is_right(row)]
    right = [row for row in rows if _is_right(row)]
    # By hash: neighbours in the table look alike, and a generator would tie rows to their number.
    right.sort(key=_by_hash)
    wrong.sort(key=_by_hash)
    if are_sure:
        wrong.sort(key=lambda row: (-max(row["probabilities"]), row["example_id"]))
    num_wrong = min(len(wrong), max(number - number // 2, number - len(right)))
    return wrong[:num_wrong] + right[: number - num_wrong]


def _by_hash(row: dict[str, Any]) -> bytes:
    return hashlib.sha256(row["example_id"].encode()).digest()


def _is_right(row: dict[str, Any]) -> bool:
    """Whether a prediction is its label; of texts, which come without probabilities, but for white
    space, as `exact_match` counts them."""
    prediction, label = row["prediction"], row["label"]
    if row["probabilities"]:
        return bool(prediction == label)
    return "".join(prediction.split()) == "".join(label.split())


def _error(row: dict[str, Any]) -> float | None:
    """How far a number lies from its label. Classes come with two probabilities or more, texts
    with none."""
    if len(row["probabilities"]) != 1:
        return None
    try:
        return abs(float(row["prediction"]) - float(row["label"]))
    except ValueError:
        return None


def _guess(model: str, row: dict[str, Any], are_sure: bool) -> Guess:
    error = _error(row)
    return Guess(
        model=model,
        prediction=row["prediction"],
        confidence=max(row["probabilities"]) if are_sure else None,
        right=_is_right(row) if error is None else None,
        error=error,
    )
