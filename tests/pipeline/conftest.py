"""One real run of the whole pipeline on 120 rows, which all tests of this folder share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.declared_stages import DeclaredStage, declared_stages
from tests.support.workspace import Workspace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Workspace:
    """A workspace after its first `dvc repro`, observed. Tests change copies of it only.

    The first test process that needs it makes it; the others wait and share it.
    """
    base = tmp_path_factory.getbasetemp()
    home = (base if worker_id == "master" else base.parent) / "pipeline"
    home.mkdir(exist_ok=True)
    complete = home / "complete"
    with FileLock(home / "lock"):
        if not complete.exists():
            shutil.rmtree(home / "finished", ignore_errors=True)
            workspace = Workspace.create(home / "finished")
            workspace.observations.mkdir()
            workspace.repro(STAGE_OBSERVATIONS=str(workspace.observations))
            complete.touch()
    return Workspace(home / "finished")


@pytest.fixture(scope="session")
def stages(finished: Workspace) -> dict[str, DeclaredStage]:
    return declared_stages(finished.root)


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """A finished workspace to change."""
    return finished.copy(tmp_path / "workspace")
