"""What DVC would run, and what lies behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dvc.repo import Repo

from fuseline.errors import ConfigError
from fuseline.pipeline.provenance import stage_hashes
from fuseline.workbench.estimate.due import find_due

PIPELINE = """
stages:
  code: {cmd: cp first code.json, deps: [src], outs: [code.json: {cache: false}]}
  first: {cmd: cp params.yaml first.txt, params: [first, code.json: [first]], outs: [first.txt]}
  second:
    matrix: {cell: [a, b]}
    cmd: cp first.txt second-${item.cell}.txt
    deps: [first.txt]
    params: ["second.${item.cell}", code.json: [second]]
    outs: ["second-${item.cell}.txt"]
  third: {cmd: cp params.yaml third.txt, params: [third, code.json: [third]], outs: [third.txt]}
"""
PARAMS = "first: 1\nsecond: {a: 1, b: 1}\nthird: 1\n"
SCRIPTS = ("first", "second", "third")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository after its run."""
    monkeypatch.chdir(tmp_path)
    for variable in ("SITE_CACHE_DIR", "GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR"):
        monkeypatch.setenv(f"DVC_{variable}", str(tmp_path / "dvc" / variable))
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shared.py").write_text("number = 1\n")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "__init__.py").write_text("")
    for name in SCRIPTS:
        (tmp_path / "stages" / f"{name}.py").write_text(f"import sys\nname = '{name}'\n")
    _write_hashes(tmp_path)
    Repo.init(str(tmp_path), no_scm=True).close()
    with Repo(str(tmp_path)) as repo:
        repo.reproduce()
    return tmp_path


def _write_hashes(root: Path) -> None:
    (root / "first").write_text(json.dumps(stage_hashes(root / "src", root / "stages")))


def test_nothing_is_due_after_a_run(root: Path) -> None:
    found = find_due(root)
    assert found.stages == ("first", "second@a", "second@b", "third")
    assert (found.will, found.may) == (frozenset(), frozenset())


def test_stages_behind_one_that_runs_may_run(root: Path) -> None:
    (root / "params.yaml").write_text(PARAMS.replace("first: 1", "first: 2"))
    found = find_due(root)
    assert (found.will, found.may) == ({"first"}, {"second@a", "second@b"})


def test_a_cell_is_due_by_itself(root: Path) -> None:
    (root / "params.yaml").write_text(PARAMS.replace("b: 1", "b: 2"))
    found = find_due(root)
    assert (found.will, found.may) == ({"second@b"}, set())


def test_code_that_changed_is_due_where_it_is_read(root: Path) -> None:
    (root / "stages" / "third.py").write_text("name = 'another'\n")
    # DVC watches the sources here.
    (root / "src" / "shared.py").write_text("number = 2\n")
    found = find_due(root)
    assert (found.will, found.may) == ({"third"}, set())


def test_a_comment_makes_nothing_due(root: Path) -> None:
    (root / "src" / "shared.py").write_text("number = 1  # one\n")
    found = find_due(root)
    assert (found.will, found.may) == (frozenset(), frozenset())


def test_outside_a_repository_dvc_is_heard(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DVC cannot tell what is to run: "):
        find_due(tmp_path)
