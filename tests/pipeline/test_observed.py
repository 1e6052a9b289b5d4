"""While they run, stages load and open what `dvc.yaml` and `code.json` know of, and all of it."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from fuseline.pipeline import durations
from fuseline.pipeline.provenance import SourceTree
from tests.support.declared_stages import DeclaredStage, declared_stages
from tests.support.repository import REPOSITORY
from tests.support.workspace import Workspace

STAGES = declared_stages(REPOSITORY)

# Imported by name to check all params, outside the closure: it can stop a stage, not change it.
BY_NAME = {
    "fuseline.params.whole",
    "fuseline.pipeline.provenance",
    "fuseline.pipeline.weighed_labels",
}
# Who made what: written by every stage beside its outputs, read to keep the entries of others.
RECORD = "environment.json"
# How long each took, for people.
SECONDS = f".checkpoints/{durations.FILE}"
# Read by every stage to check params and to know its own code.
# `dvc.lock` tells which finished work is recorded, and so can be removed.
ALWAYS = {"params.yaml", "code.json", "dvc.lock", RECORD}
# Your own data and events of people: the `synthetic` source of these tests has none of either.
UNREAD = {"data/raw", "data/interactions"}
# Of these the one that is not chosen.
CHOSEN_FROM = {"export": {"models/finetuned", "models/adversarial"}}

every_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))


@pytest.fixture
def observed(finished: Workspace, stage: DeclaredStage) -> dict[str, Any]:
    """What the run of this cell did."""
    arguments = shlex.split(stage.command)[3:]
    records = [json.loads(path.read_text()) for path in finished.observations.glob("*.json")]
    (record,) = (record for record in records if record["argv"] == arguments)
    return record


@pytest.fixture
def tree(finished: Workspace) -> SourceTree:
    return SourceTree.of(finished.root / "src", finished.root / "stages")


def within(path: str, folders: set[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


# The folder itself: a file without a name in it, to try whether it knows locks.
FEATURE_CACHE = ".feature_cache"
FINISHED_WORK = re.compile(r"\.checkpoints/[^/]+/(lock|[0-9a-f]{16}(/finished\.json)?)")


@every_stage
def test_the_modules_loaded_are_those_that_are_hashed(
    stage: DeclaredStage, observed: dict[str, Any], tree: SourceTree
) -> None:
    allowed = tree.closure(f"stages.{stage.name}")
    if stage.name != "code":
        for name in BY_NAME:
            allowed |= tree.closure(name)
    assert set(observed["modules"]) - allowed == set()


@every_stage
def test_the_code_that_runs_is_the_code_beside_it(
    finished: Workspace, observed: dict[str, Any]
) -> None:
    assert all(path.startswith(str(finished.root)) for path in observed["modules"].values())


@every_stage
def test_the_files_read_are_declared(
    stage: DeclaredStage, observed: dict[str, Any], finished: Workspace, tree: SourceTree
) -> None:
    closure = tree.closure(f"stages.{stage.name}")
    data = {str(path.relative_to(finished.root)) for path in tree.data_files(closure)}
    read = {path for path in [*observed["read"], *observed["hashed"]] if not is_code(path)}
    undeclared = {
        path
        for path in read - ALWAYS - data
        if not within(path, set(stage.deps)) and not is_own(path, stage)
    }
    assert undeclared == set()


@every_stage
def test_the_files_written_are_declared(stage: DeclaredStage, observed: dict[str, Any]) -> None:
    written = {path for path in observed["written"] if not is_code(path)}
    assert {path for path in written if not is_own(path, stage)} == set()


def test_the_record_is_no_part_of_the_graph() -> None:
    """What a stage reads of it can so never be a result of another stage."""
    for stage in STAGES.values():
        assert not any(within(RECORD, {path}) for path in [*stage.deps, *stage.outs])


@every_stage
def test_every_dependency_is_read(stage: DeclaredStage, observed: dict[str, Any]) -> None:
    """Hashing an input at the start is no reading."""
    read = observed["read"]
    unread = {dep for dep in stage.deps if not any(within(path, {dep}) for path in read)}
    candidates = CHOSEN_FROM.get(stage.name, set())
    assert unread - UNREAD - candidates == set()
    assert not candidates or len(unread & candidates) == 1


def is_code(path: str) -> bool:
    return path.endswith((".py", ".pyc")) or ".pyc." in path


def is_own(path: str, stage: DeclaredStage) -> bool:
    """Whether a path is an output, final or growing, work in progress, the record, or what tells of
    finished work of another stage, which is removed."""
    if FINISHED_WORK.fullmatch(path) or path == FEATURE_CACHE:
        return True
    final = re.sub(r"(^|/)\.([^/]+)\.partial(?=/|$)", r"\1\2", path).removesuffix(".partial")
    return within(final, {*stage.outs, RECORD, SECONDS, f".checkpoints/{stage.cell}"})
