"""One real run of the whole pipeline on 120 rows, which all tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.declared import DeclaredStage, declared_stages
from tests.pipeline.workspace import OBSERVER, Workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace after its first `dvc repro`, observed. Tests change copies of it only."""
    workspace = Workspace.create(tmp_path_factory.mktemp("pipeline") / "finished")
    workspace.observations.mkdir()
    workspace.repro(PYTHONPATH=str(OBSERVER), STAGE_OBSERVATIONS=str(workspace.observations))
    return workspace


@pytest.fixture(scope="session")
def stages(finished: Workspace) -> dict[str, DeclaredStage]:
    return declared_stages(finished.root)


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """A finished workspace to change."""
    return finished.copy(tmp_path / "workspace")
