"""Rows of the test split for the report: which to show, and their thumbnails."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from fuseline.contracts import EXAMPLES, iter_shards, predictions_schema, read_manifest, read_table
from fuseline.errors import ContractError

THUMBNAIL_SIZE = 64
_COLUMNS = ["example_id", "group", "text", "image"]


@dataclass(frozen=True)
class Guess:
    """What one model says of a row, and how sure it is (0 to 1)."""

    model: str
    prediction: str
    confidence: float
    right: bool


@dataclass(frozen=True)
class Example:
    """A row to show; `thumbnail` is a PNG data URI, None without a picture."""

    example_id: str
    group: str
    text: str | None
    label: str
    thumbnail: str | None
    guesses: list[Guess]


def read_predictions(folder: Path) -> list[dict[str, Any]]:
    """Rows of a predictions table.

    Raises:
        ContractError: the table is unfinished or not what its contract says.
    """
    labels = read_manifest(folder, "predictions")["labels"]
    rows: list[dict[str, Any]] = read_table(
        folder, predictions_schema(len(labels)), "predictions"
    ).to_pylist()
    return rows


def choose_examples(
    predictions: dict[str, list[dict[str, Any]]], examples: Path, num_examples: int
) -> list[Example]:
    """Rows that the first model gets wrong, the surest first, and as many that it gets right.

    Args:
        predictions: rows by model's name, the same rows for each.
        examples: the examples table, for text and picture.
        num_examples: how many at most; where one kind is short, the other fills up.

    Raises:
        ContractError: a predicted row is not in the examples table.
    """
    first = next(iter(predictions.values()))
    chosen = _errors_and_others(first, num_examples)
    guesses = {name: {row["example_id"]: row for row in rows} for name, rows in predictions.items()}
    sources = _source_rows(examples, {row["example_id"] for row in chosen})
    return [
        Example(
            example_id=row["example_id"],
            group=sources[row["example_id"]]["group"],
            text=sources[row["example_id"]]["text"],
            label=row["label"],
            thumbnail=thumbnail(sources[row["example_id"]]["image"]),
            guesses=[_guess(name, rows[row["example_id"]]) for name, rows in guesses.items()],
        )
        for row in chosen
    ]


def thumbnail(media: dict[str, Any] | None) -> str | None:
    """A PNG data URI of at most 64 pixels a side; None without picture."""
    if media is None or media["bytes"] is None:
        return None
    with Image.open(io.BytesIO(media["bytes"])) as picture:
        small = picture.convert("RGBA")
    small.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _errors_and_others(rows: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    wrong = [row for row in rows if row["prediction"] != row["label"]]
    right = [row for row in rows if row["prediction"] == row["label"]]
    wrong.sort(key=lambda row: (-max(row["probabilities"]), row["example_id"]))
    # By hash: neighbours in the table look alike, and a generator would tie rows to their number.
    right.sort(key=lambda row: hashlib.sha256(row["example_id"].encode()).digest())
    num_wrong = min(len(wrong), max(number - number // 2, number - len(right)))
    return wrong[:num_wrong] + right[: number - num_wrong]


def _guess(model: str, row: dict[str, Any]) -> Guess:
    return Guess(
        model=model,
        prediction=row["prediction"],
        confidence=max(row["probabilities"]),
        right=row["prediction"] == row["label"],
    )


def _source_rows(examples: Path, wanted: set[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for _, table in iter_shards(examples, EXAMPLES, "examples", _COLUMNS):
        ids = table.column("example_id").to_pylist()
        rows = [index for index, example_id in enumerate(ids) if example_id in wanted]
        found |= {row["example_id"]: row for row in table.take(rows).to_pylist()}
    missing = sorted(wanted - set(found))
    if missing:
        raise ContractError(
            f"{examples}: predicted row '{missing[0]}' is not among the examples."
            " Run `dvc repro` to make both from the same rows."
        )
    return found
