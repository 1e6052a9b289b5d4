"""The predictor as other servers hold it, set up as `fuseline serve` is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

MAX_BATCH_ROWS, MAX_WAIT_MS = 32, 5
EXPORT = "BENCHMARK_EXPORT"


def told() -> int:
    """The port of the command line; its export goes to every process."""
    os.environ[EXPORT], _, port = sys.argv[1:4]
    return int(port)


def predictor() -> Any:
    """The model, on one thread."""
    from fuseline.serving.predictor import Predictor

    return Predictor(Path(os.environ[EXPORT]))


def cleaned(model: Any, request: dict[str, Any]) -> Any:
    """The row of a request, cleaned."""
    from fuseline.data.sources import RawRow

    (row,) = request["rows"]
    return model.clean(RawRow(source_row=0, text=row["text"], is_named=False, raw={}))


def answered(model: Any, rows: list[Any]) -> list[dict[str, Any]]:
    """Bodies of answers."""
    from fuseline.serving.writers import as_objects

    return [{"answers": [one]} for one in as_objects(model.answer(rows))]
