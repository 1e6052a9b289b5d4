from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from fuseline.contracts import EXAMPLES, TableWriter, features_schema
from fuseline.params.leakage import LeakageParams, NearParams, RuleParams

MEDIA = ("image", "audio", "video")


def params(**changes: Any) -> LeakageParams:
    values: dict[str, Any] = {
        "max_rows": 1000,
        "num_pairs": 5,
        "near": NearParams(text=0.95, image=0.98, audio=0.98, video=0.98),
        "rule": RuleParams(precision=0.95, min_rows=3, max_share=0.2),
        "shortcut_gain": 0.5,
    }
    return LeakageParams(**(values | changes))


def png(side: int, colour: int = 0) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (colour, 0, 0)).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


@dataclass(frozen=True)
class Tables:
    """An examples table and its features."""

    examples: Path
    features: Path


Vectors = dict[str, dict[str, list[float]]]
MakeTables = Callable[..., Tables]


@pytest.fixture
def make_tables(tmp_path) -> MakeTables:
    """Write rows given as dicts (`split` at least) and features as vectors by medium and id."""

    def make(rows: list[dict[str, Any]], vectors: Vectors | None = None) -> Tables:
        empty = dict.fromkeys(EXAMPLES.names)
        full = [
            empty
            | {
                "example_id": f"row{place:04d}",
                "source_row": place,
                "group": f"g{place}",
                "sanitised": [],
                "findings": [],
            }
            | row
            for place, row in enumerate(rows)
        ]
        tables = Tables(tmp_path / "examples", tmp_path / "features")
        writer = TableWriter(tables.examples, EXAMPLES, "examples")
        half = len(full) // 2
        for name, part in (("00000.parquet", full[:half]), ("00001.parquet", full[half:])):
            writer.write(name, pa.Table.from_pylist(part, schema=EXAMPLES))
        writer.finish()
        for name in MEDIA:
            write_features(tables.features / name, full, (vectors or {}).get(name, {}))
        return tables

    return make


def write_features(folder: Path, rows: list[dict[str, Any]], vectors: dict[str, list[float]]):
    dim = len(next(iter(vectors.values()), [0.0]))
    schema = features_schema(2, dim)
    # Two positions, whose mean is the vector.
    values = [
        np.array([[x - 1, x + 1] for x in vectors[row["example_id"]]], np.float16).T.ravel()
        if row["example_id"] in vectors
        else None
        for row in rows
    ]
    columns = [[row[name] for row in rows] for name in ("example_id", "split", "group")]
    table = pa.table(
        [*columns, pa.array(values, schema.field("features").type)], names=schema.names
    )
    writer = TableWriter(folder, schema, "features")
    writer.write("00000.parquet", table)
    writer.finish(shape=[2, dim])
