"""A small export, which the tests of the server and those of the page leave as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.untrained_export import write_export


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("server") / "export")
