"""What a refused run leaves behind, outside of DVC's outputs: its quarantine and its metrics."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuseline.contracts import write_json


def keep_evidence(folder: Path, quarantine: Path, metrics: Mapping[str, Any]) -> str:
    """Copy the refused rows and write the figures; return a sentence that names both.

    Args:
        folder: for both, not there yet.
        quarantine: the table as the run wrote it.
        metrics: what `metrics/ingest.json` would hold.
    """
    table, figures = folder / "quarantine", folder / "ingest.json"
    shutil.copytree(quarantine, table)
    write_json(figures, dict(metrics))
    rows, numbers = os.path.relpath(table), os.path.relpath(figures)
    return f" The refused rows are in {rows}, the figures in {numbers}."
