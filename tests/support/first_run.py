"""Somebody's data from `fuseline init --yes` on, in this process.

Stages run in the order and with the options of `dvc.yaml`; starting each anew takes longer than its
work on so few rows. What `init` decides itself is left as shipped; the rest is small.
"""

from __future__ import annotations

import importlib
import shlex
import shutil
from functools import cache
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.contracts import write_json
from fuseline.pipeline.provenance import stage_hashes
from tests.support.declared_stages import DeclaredStage, declared_stages
from tests.support.repository import REPOSITORY
from tests.support.workspace import SMALL_PARAMS, Workspace

SMALL = {
    key: value
    for key, value in SMALL_PARAMS.items()
    if not key.startswith(("base.modalities", "ingest.source", "ingest.synthetic"))
} | {"ingest.split.train": 0.6, "ingest.split.dev": 0.2, "ingest.split.test": 0.2}


@cache
def stages_in_order() -> list[DeclaredStage]:
    """Every stage but the hashing of code, each after those whose outputs it reads."""
    waiting = [stage for stage in declared_stages(REPOSITORY).values() if stage.name != "code"]
    ordered: list[DeclaredStage] = []
    while waiting:
        missing = {out for stage in waiting for out in stage.outs}
        ready = [stage for stage in waiting if not stage.deps & missing]
        ordered += ready
        waiting = [stage for stage in waiting if stage not in ready]
    return ordered


@cache
def _hashes() -> dict[str, str]:
    return stage_hashes(REPOSITORY / "src", REPOSITORY / "stages")


def begin(root: Path) -> None:
    """Put what the commands and stages read into a new folder, but for the data."""
    root.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", root)
    write_json(root / "code.json", _hashes())
    Workspace(root).set_params(SMALL)


def command(*words: str) -> Result:
    """Run `fuseline` in the working directory."""
    return CliRunner().invoke(app, list(words))


def run(stage: DeclaredStage) -> Result:
    """Run a stage in the working directory."""
    script = importlib.import_module(f"stages.{stage.name}")
    return CliRunner().invoke(script.app, shlex.split(stage.command)[3:])
