"""The rows that are compared: a bounded sample of two splits, and facts about each."""

from __future__ import annotations

import hashlib
import heapq
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from fuseline.contracts import EXAMPLES, iter_shards
from fuseline.errors import ContractError
from fuseline.params.base import MEDIA, MODALITIES

COMPARED = ("train", "test")
SHAPE_CHARACTERS = 40
# Columns of texts that a row may lack.
NULLABLE = ("label", "text")


@dataclass(frozen=True)
class ComparedRows:
    """Rows of the training and the test split, sorted by `example_id`.

    Attributes:
        train, test: one row per example: `example_id`, `label`, `text` (None where absent) and
            the facts of `row_facts`.
        train_tabular, test_tabular: cells by column, of the same rows; no columns where the data
            have none.
        totals: rows that each split holds, compared or not.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    train_tabular: pd.DataFrame
    test_tabular: pd.DataFrame
    totals: dict[str, int]


def read_compared_rows(examples: Path, max_rows: int) -> ComparedRows:
    """Read a sample of both splits; media are opened for their facts and dropped at once.

    Raises:
        ContractError: a split is empty.
    """
    chosen, totals = _sample(examples, max_rows)
    for split, ids in chosen.items():
        if not ids:
            raise ContractError(
                f"{examples}: the {split} split is empty, so nothing can be compared."
                " Set `ingest.unlearnable` to refuse, then `dvc repro ingest` says what fills it."
            )
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in COMPARED}
    for row in _read(examples, set.union(*chosen.values())):
        rows[row["split"]].append(row)
    frames = {split: _frame(rows[split]) for split in COMPARED}
    tabular = {split: _tabular(rows[split], frames[split]) for split in COMPARED}
    return ComparedRows(frames["train"], frames["test"], tabular["train"], tabular["test"], totals)


def row_facts(row: dict[str, Any]) -> dict[str, Any]:
    """What is known of an example besides its content.

    Numbers are None where they do not apply. In names, digits are replaced by `#`, so that
    numbered names become one.
    """
    width, height, kind = _image_facts(row["image"])
    paths = [row[name]["path"] for name in MEDIA if row[name] is not None and row[name]["path"]]
    return {
        "text_length": len(row["text"] or ""),
        "language": row["lang"] or "",
        "presence": "+".join(name for name in MODALITIES if row[name] is not None),
        "image_width": width,
        "image_height": height,
        "image_format": kind,
        **{f"{name}_bytes": _num_bytes(row[name]) for name in MEDIA},
        "media_name": name_shape(paths[0]) if paths else "",
        "source_row": row["source_row"],
        "id_shape": name_shape(row["example_id"]),
        "license": row["license"] or "",
        "provenance": row["provenance"] or "",
    }


def name_shape(name: str) -> str:
    """A name with its digits as `#`, cut to 40 characters."""
    return re.sub(r"\d+", "#", name)[:SHAPE_CHARACTERS]


def _sample(examples: Path, max_rows: int) -> tuple[dict[str, set[str]], dict[str, int]]:
    """Ids of at most `max_rows` rows of each split, and how many there are."""
    kept: dict[str, list[tuple[bytes, str]]] = {split: [] for split in COMPARED}
    totals = dict.fromkeys(COMPARED, 0)
    for _, table in iter_shards(examples, EXAMPLES, "examples", ["example_id", "split"]):
        for split in COMPARED:
            ids = table.filter(pc.equal(table["split"], split))["example_id"].to_pylist()
            totals[split] += len(ids)
            # By hash, so that a row that is added seldom moves another out of the sample.
            hashed = [
                (hashlib.sha256(example_id.encode()).digest(), example_id) for example_id in ids
            ]
            kept[split] = heapq.nsmallest(max_rows, kept[split] + hashed)
    return {split: {example_id for _, example_id in pairs} for split, pairs in kept.items()}, totals


def _read(examples: Path, chosen: set[str]) -> Iterator[dict[str, Any]]:
    columns = [
        *("example_id", "split", "label", "text", "lang", "source_row", "license", "provenance"),
        *(*MEDIA, "tabular"),
    ]
    wanted = pa.array(sorted(chosen))
    for _, table in iter_shards(examples, EXAMPLES, "examples", columns):
        rows = table.filter(pc.is_in(table["example_id"], wanted))
        for batch in rows.to_batches(max_chunksize=64):
            for row in batch.to_pylist():
                cells = row.pop("tabular")
                facts = row_facts(row | {"tabular": cells})
                named = {name: row[name] for name in ("example_id", "split", "label", "text")}
                yield named | facts | {"tabular": cells}


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    rows.sort(key=lambda row: row["example_id"])
    frame = pd.DataFrame([{k: v for k, v in row.items() if k != "tabular"} for row in rows])
    # Pandas makes NaN of a missing text, a float that is true; as objects they stay None.
    for name in NULLABLE:
        frame[name] = pd.Series([row[name] for row in rows], frame.index, object)
    return frame


def _tabular(rows: list[dict[str, Any]], frame: pd.DataFrame) -> pd.DataFrame:
    cells = pd.DataFrame([dict(row["tabular"] or {}) for row in rows], index=frame.index)
    return cells[sorted(cells.columns)]


def _image_facts(media: dict[str, Any] | None) -> tuple[int | None, int | None, str]:
    if media is None or media["bytes"] is None:
        return None, None, ""
    with Image.open(io.BytesIO(media["bytes"])) as picture:
        return picture.width, picture.height, f"{picture.format} {picture.mode}"


def _num_bytes(media: dict[str, Any] | None) -> int | None:
    return None if media is None or media["bytes"] is None else len(media["bytes"])
