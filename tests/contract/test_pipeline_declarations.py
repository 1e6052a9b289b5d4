"""`dvc.yaml` declares exactly what each stage script says that it reads and writes."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from fuseline.params.whole import SECTIONS
from fuseline.pipeline.provenance import SourceTree
from tests.support.declared_stages import DeclaredStage, declared_stages
from tests.support.repository import REPOSITORY

STAGES = declared_stages(REPOSITORY)
FRAMED = [stage for stage in STAGES.values() if stage.name != "code"]
every_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
every_framed_stage = pytest.mark.parametrize("stage", FRAMED, ids=[one.cell for one in FRAMED])


def script(stage: DeclaredStage) -> ast.Module:
    return ast.parse((REPOSITORY / "stages" / f"{stage.name}.py").read_text())


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def evaluated(node: ast.expr, stage: DeclaredStage) -> object:
    """Value of an expression over the options of the stage's command."""
    names: dict[str, object] = dict(stage.options)
    names |= {name: PurePosixPath(stage.options[name]) for name in path_options(stage)}
    return eval(compile(ast.Expression(node), "run_stage", "eval"), names)  # noqa: S307


def said(stage: DeclaredStage, argument: str) -> list[str]:
    """What the script tells `run_stage` by a keyword."""
    (call,) = calls(script(stage), "run_stage")
    if argument == "name":
        return [str(evaluated(call.args[0], stage))]
    nodes = [keyword.value for keyword in call.keywords if keyword.arg == argument]
    return [str(item) for node in nodes for item in evaluated(node, stage)]  # type: ignore[attr-defined]


def path_options(stage: DeclaredStage) -> set[str]:
    """Options of the script that are annotated as paths."""
    (main,) = (
        node
        for node in script(stage).body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    )
    return {
        argument.arg
        for argument in main.args.args
        if argument.annotation and "Path" in ast.unparse(argument.annotation)
    }


def within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def test_every_script_is_a_stage_and_every_stage_a_script() -> None:
    scripts = {path.stem for path in (REPOSITORY / "stages").glob("[!_]*.py")}
    assert {stage.name for stage in STAGES.values()} == scripts


@every_stage
def test_a_cell_bears_the_name_of_its_script(stage: DeclaredStage) -> None:
    assert stage.cell.split("@")[0] == stage.name


@every_framed_stage
def test_the_stage_declares_its_own_code(stage: DeclaredStage) -> None:
    assert said(stage, "name") == [stage.name]
    assert stage.code == {stage.name}


@every_framed_stage
def test_the_params_are_those_that_the_script_reads(stage: DeclaredStage) -> None:
    assert set(said(stage, "params")) == stage.params


@every_framed_stage
def test_the_code_loads_the_declared_sections_and_no_other(stage: DeclaredStage) -> None:
    tree = SourceTree.of(REPOSITORY / "src", REPOSITORY / "stages")
    loaded = set()
    for module in tree.closure(f"stages.{stage.name}"):
        for call in calls(ast.parse(tree.modules[module].read_text()), "load_section"):
            loaded.add(evaluated(call.args[0], stage))
    assert loaded == {key.split(".")[0] for key in stage.params}
    assert loaded <= set(SECTIONS)


@every_framed_stage
def test_of_a_section_declared_by_leaves_no_other_leaf_is_read(stage: DeclaredStage) -> None:
    """Where `dvc.yaml` names `base.seed` and not `base`, the script reads no other `base.…`."""
    tree = script(stage)
    read = set()
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            continue
        for call in calls(node.value, "load_section"):
            section = str(evaluated(call.args[0], stage))
            if section not in stage.params:
                name = ast.unparse(node.targets[0])
                read |= {f"{section}.{leaf}" for leaf in leaves(tree, name, stage)}
    assert read == {key for key in stage.params if "." in key}


def leaves(tree: ast.Module, name: str, stage: DeclaredStage) -> set[str]:
    """Fields read of variable `name`; every use of it must be such a read."""
    uses = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    ]
    found = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.value in uses
    ]
    found += [
        str(evaluated(call.args[1], stage))
        for call in calls(tree, "getattr")
        if call.args[0] in uses
    ]
    assert len(found) == len(uses), f"'{name}' is passed on whole"
    return set(found)


@every_framed_stage
def test_the_inputs_are_the_declared_dependencies(stage: DeclaredStage) -> None:
    inputs = said(stage, "inputs")
    assert {path for path in inputs if not any(within(dep, path) for dep in stage.deps)} == set()
    assert {dep for dep in stage.deps if not any(within(dep, path) for path in inputs)} == set()


@every_framed_stage
def test_the_outputs_are_the_declared_outs(stage: DeclaredStage) -> None:
    """A folder of plots is declared file by file, since DVC takes plots one by one."""
    outputs = set(said(stage, "outputs"))
    assert {out for out in stage.outs if not any(within(out, path) for path in outputs)} == set()
    assert {p for p in outputs if not any(within(out, p) for out in stage.outs)} == set()


@every_stage
def test_every_path_of_the_command_is_declared(stage: DeclaredStage) -> None:
    declared = stage.deps | set(stage.outs)
    paths = {stage.options[name] for name in path_options(stage)}
    assert {path for path in paths if not any(within(item, path) for item in declared)} == set()
    assert {item for item in declared if not any(within(item, path) for path in paths)} == set()


@every_stage
def test_git_ignores_what_dvc_caches_and_nothing_else(stage: DeclaredStage) -> None:
    """Entries that DVC adds by itself are rolled back when a later stage fails."""
    for path, cached in stage.outs.items():
        command = ["git", "check-ignore", "--no-index", "--quiet", path]
        ignored = subprocess.run(command, cwd=REPOSITORY, check=False).returncode == 0
        assert ignored == cached, path


def test_no_module_is_imported_by_name_but_checks_that_only_stop() -> None:
    """What is imported by name escapes the hashes of `code.json`."""
    tree = SourceTree.of(REPOSITORY / "src", REPOSITORY / "stages")
    found = {
        (name, ast.unparse(node))
        for name, path in tree.modules.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__", "exec")
    }
    assert found == {
        ("fuseline.pipeline.stage", f"importlib.import_module('fuseline.{name}')")
        for name in ("params.whole", "pipeline.provenance", "pipeline.weighed_labels")
    }


def test_dvc_ignores_what_python_leaves_behind() -> None:
    ignored = Path(REPOSITORY / ".dvcignore").read_text().split()
    assert {"__pycache__", "*.pyc", "*.egg-info"} <= set(ignored)
