"""Params of the section `ingest`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
    """The section as shipped, with changes."""

    def build(**changes: Any) -> IngestParams:
        return IngestParams.model_validate(_updated(read_yaml(PARAMS_FILE)["ingest"], changes))

    return build
