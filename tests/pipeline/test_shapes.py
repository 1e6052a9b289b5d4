"""Ten shapes of data, each from `fuseline init --yes` to the report, without a hand's touch.

Stages run in this process, in the order and with the options of `dvc.yaml`: starting each anew
takes longer than its work on sixty rows.
"""

from __future__ import annotations

import importlib
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.config import read_yaml
from fuseline.contracts import write_json
from fuseline.params.attack import SPACE_OF
from fuseline.params.whole import check
from fuseline.pipeline.metrics_file import read_metrics
from fuseline.pipeline.provenance import stage_hashes
from tests.pipeline.shapes import ROWS, SHAPES, Shape
from tests.support.declared_stages import DeclaredStage, declared_stages
from tests.support.repository import REPOSITORY
from tests.support.workspace import SMALL_PARAMS, Workspace

# What `init` decides itself is left as shipped; the rest is small.
SMALL = {
    key: value
    for key, value in SMALL_PARAMS.items()
    if not key.startswith(("base.modalities", "ingest.source", "ingest.synthetic"))
} | {"ingest.split.train": 0.6, "ingest.split.dev": 0.2, "ingest.split.test": 0.2}


@pytest.fixture(scope="module")
def stages() -> list[DeclaredStage]:
    """Every stage but the hashing of code, each after those whose outputs it reads."""
    waiting = [stage for stage in declared_stages(REPOSITORY).values() if stage.name != "code"]
    ordered: list[DeclaredStage] = []
    while waiting:
        missing = {out for stage in waiting for out in stage.outs}
        ready = [stage for stage in waiting if not stage.deps & missing]
        ordered += ready
        waiting = [stage for stage in waiting if stage not in ready]
    return ordered


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("code") / "code.json"
    write_json(path, stage_hashes(REPOSITORY / "src", REPOSITORY / "stages"))
    return path


@pytest.mark.parametrize("name", SHAPES)
def test_from_init_to_the_report(
    name: str,
    stages: list[DeclaredStage],
    code: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape, root = SHAPES[name], tmp_path / "clone"
    root.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", root)
    shutil.copy(code, root)
    workspace = Workspace(root)
    workspace.set_params(SMALL)
    monkeypatch.chdir(root)
    path = shape.make(root / "data" / "raw" / "mine")
    result = CliRunner().invoke(app, ["init", str(path), "--yes"])
    assert result.exit_code == 0, result.output
    _check_params(read_yaml(root / "params.yaml"), shape)
    for stage in stages:
        words = shlex.split(stage.command)[3:]
        script = importlib.import_module(f"stages.{stage.name}")
        ran = CliRunner().invoke(script.app, words)
        assert ran.exit_code == 0, f"{stage.cell}: {ran.output}{ran.exception!r}"
    figures = read_metrics(root / "metrics" / "ingest.json")
    assert (figures["rows_in"], figures["rows_quarantined"]) == (ROWS, 0)
    assert (root / "reports" / "index.html").stat().st_size > 0


def _check_params(content: dict[str, Any], shape: Shape) -> None:
    check(content)
    assert content["ingest"]["source"] == shape.source
    assert content["base"]["modalities"] == list(shape.modalities)
    assert [(task["kind"], task["target"]) for task in content["finetune"]["tasks"]] == [shape.task]
    spaces = [SPACE_OF[modality] for modality in shape.modalities]
    attacks = [
        content["pretrain"]["adversarial"]["attack"],
        content["adversarial_finetune"]["attack"],
        content["evaluate"]["robustness"]["attack"],
        content["stress"]["transfer"]["attack"],
    ]
    assert all(list(attack["epsilon"]) == spaces for attack in attacks)
