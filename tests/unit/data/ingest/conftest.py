"""Params of the section `ingest`, and manifests made on the spot."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fuseline.config import read_yaml
from fuseline.params.ingest import IngestParams
from tests.support.repository import PARAMS_FILE

Build = Callable[..., IngestParams]


def _updated(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for key, change in changes.items():
        nested = isinstance(change, dict) and isinstance(values.get(key), dict)
        values[key] = _updated(values[key], change) if nested else change
    return values


@pytest.fixture
def build_params() -> Build:
    """The section as shipped, with changes. Rows of a test are too few to learn from: warned only,
    unless the test says otherwise."""

    def build(**changes: Any) -> IngestParams:
        section = read_yaml(PARAMS_FILE)["ingest"] | {"unlearnable": "warn"}
        return IngestParams.model_validate(_updated(section, changes))

    return build


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[[list[dict[str, str]]], Path]:
    """Write rows as `raw/rows.csv` beside one good picture, `raw/good.png`."""
    raw = tmp_path / "raw"
    raw.mkdir()
    Image.new("RGB", (8, 8), "red").save(raw / "good.png")

    def write(rows: list[dict[str, str]]) -> Path:
        path = raw / "rows.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write
