"""The change table: for every kind of change, exactly the expected stages run.

A dry run of `dvc repro` lists what a change invalidates at once; what lies downstream of those
stages runs only if their outputs turn out different. So the sets are of first order.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuseline.config import read_yaml
from tests.pipeline.change_table import (
    ALL,
    CODE,
    INGEST,
    LEAKAGE,
    MODULES,
    NOTHING,
    OUTPUTS,
    PARAMS,
    REPORT,
    STRESS,
    TOKENIZE,
)
from tests.support.declared_stages import DeclaredStage
from tests.support.workspace import Workspace


@pytest.fixture(scope="module")
def shared(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    copy = finished.copy(tmp_path_factory.mktemp("changes") / "shared")
    assert copy.would_run() == NOTHING
    return copy


@pytest.fixture
def change(shared: Workspace) -> Iterator[Callable[[str], Path]]:
    """Say which file or folder a test is about to change or add; it is as before afterwards."""
    kept: list[tuple[Path, Path]] = []
    beside = shared.root.parent / "kept"

    def keep(name: str) -> Path:
        path, backup = shared.root / name, beside / name
        backup.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, backup)
        kept.append((path, backup))
        return path

    yield keep
    for path, backup in kept:
        if path.exists():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if backup.exists():
            backup.rename(path)
    shutil.rmtree(beside, ignore_errors=True)


@pytest.mark.parametrize("key", PARAMS)
def test_a_param_re_runs_the_stages_that_declare_it(
    shared: Workspace, change: Callable[[str], Path], key: str
) -> None:
    value, expected = PARAMS[key]
    change("params.yaml")
    shared.set_params({key: value})
    assert shared.would_run() == expected


@pytest.mark.parametrize("module", MODULES)
def test_a_module_re_runs_the_stages_that_import_it(
    shared: Workspace, change: Callable[[str], Path], module: str
) -> None:
    change("code.json")
    path = change(module)
    path.write_text(path.read_text() + "\nUNUSED_CONSTANT = 1\n")
    shared.hash_code()
    assert shared.would_run() == CODE | MODULES[module]


def add_comment(text: str) -> str:
    return text.replace("\nimport ", "\n# Nothing runs because of this line.\nimport ", 1)


def change_docstring(text: str) -> str:
    return text.replace('"""', '"""Put in other words: ', 1)


def change_formatting(text: str) -> str:
    return text.replace("\n\n\n", "\n\n\n\n").replace("    return ", "    return  ")


@pytest.mark.parametrize("edit", [add_comment, change_docstring, change_formatting])
def test_words_and_formatting_re_run_only_the_hashing(
    shared: Workspace, change: Callable[[str], Path], edit: Callable[[str], str]
) -> None:
    change("code.json")
    path = change("src/fuseline/contracts/__init__.py")
    text = path.read_text()
    path.write_text(edit(text))
    assert path.read_text() != text
    shared.hash_code()
    assert shared.would_run() == CODE


def test_the_page_template_re_runs_the_report(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    change("code.json")
    path = change("src/fuseline/reporting/report.html.j2")
    path.write_text(path.read_text() + "\n<!-- another line -->\n")
    shared.hash_code()
    assert shared.would_run() == CODE | REPORT


@pytest.mark.parametrize(
    "name", ["src/fuseline/pipeline/stage.py", "params.yaml", "data/examples/manifest.json"]
)
def test_a_touched_file_re_runs_nothing(
    shared: Workspace, change: Callable[[str], Path], name: str
) -> None:
    os.utime(change(name), (1, 1))
    assert shared.would_run() == NOTHING


def test_a_comment_in_params_re_runs_nothing(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    path = change("params.yaml")
    path.write_text("# A note.\n" + path.read_text())
    assert shared.would_run() == NOTHING


@pytest.mark.parametrize(
    "name", ["data/examples/manifest.json", "models/finetuned/config.json", "reports/index.html"]
)
def test_a_removed_file_re_runs_its_stage_and_its_readers(
    shared: Workspace, change: Callable[[str], Path], name: str
) -> None:
    change(name).unlink()
    output = name if name in OUTPUTS else str(Path(name).parent)
    assert shared.would_run() == OUTPUTS[output]


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_changed_by_hand_re_runs_its_stage_and_its_readers(
    shared: Workspace, change: Callable[[str], Path], name: str
) -> None:
    path = change(name)
    if path.is_dir():
        (path / "note.txt").write_text("mine\n")
    else:
        path.write_text(path.read_text() + "\n")
    assert shared.would_run() == OUTPUTS[name]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("desc: Text to token ids", "desc: Words to numbers", NOTHING),
        ("template: history", "template: shots", NOTHING),
        ("--out reports/index.html", "--out ./reports/index.html", REPORT),
        ("deps: [data/raw]", "deps: [data/raw, README.md]", INGEST),
        ("params: [tokenize,", "params: [tokenize, base.seed,", TOKENIZE),
        ("outs: [data/leakage]", "outs: [data/leakage, data/more]", LEAKAGE),
    ],
)
def test_a_stage_declared_otherwise_re_runs(
    shared: Workspace,
    change: Callable[[str], Path],
    before: str,
    after: str,
    expected: set[str],
) -> None:
    path = change("dvc.yaml")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    assert shared.would_run() == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("src/fuseline/evaluation/more.py", CODE),
        ("tests/more.py", NOTHING),
        ("docs/more.md", NOTHING),
        ("data/raw/rows.csv", INGEST),
    ],
)
def test_a_new_file_re_runs_what_reads_it(
    shared: Workspace, change: Callable[[str], Path], name: str, expected: set[str]
) -> None:
    change("code.json")
    path = change(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text,label\n")
    shared.hash_code()
    assert shared.would_run() == expected


def test_the_table_has_every_stage_and_every_group_of_params(
    shared: Workspace, stages: dict[str, DeclaredStage]
) -> None:
    content = read_yaml(shared.root / "params.yaml")
    groups = {
        f"{section}.{key}"
        for section, keys in content.items()
        for key, value in keys.items()
        if isinstance(value, dict) and value
    }
    assert {group for group in groups if not any(key.startswith(group) for key in PARAMS)} == set()
    assert set(content) == {key.split(".")[0] for key in PARAMS}
    assert set(stages) == CODE | ALL
    scripts = {f"stages/{stage.name}.py" for stage in stages.values()}
    assert scripts - set(MODULES) == set()
    cached = {path for stage in stages.values() for path, kept in stage.outs.items() if kept}
    named = {str(parent) for name in OUTPUTS for parent in [Path(name), *Path(name).parents]}
    assert cached - named == set()


def test_the_command_gives_the_same_answer(
    shared: Workspace, change: Callable[[str], Path]
) -> None:
    change("params.yaml")
    change("code.json")
    module = change("src/fuseline/reporting/charts.py")
    module.write_text(module.read_text() + "\nUNUSED_CONSTANT = 1\n")
    shared.set_params({"stress.max_rows": 100})
    assert set(shared.repro("--dry")) == shared.would_run() == CODE | STRESS


def test_removed_outputs_come_back_without_any_work(workspace: Workspace) -> None:
    removed = ["data/quarantine", "data/tokens", "data/features/image"]
    before = workspace.hashes(removed)
    for name in removed:
        shutil.rmtree(workspace.root / name)
    assert workspace.repro() == []
    assert workspace.hashes(removed) == before


def test_a_comment_runs_the_hashing_and_stops_there(workspace: Workspace) -> None:
    path = workspace.root / "src/fuseline/pipeline/stage.py"
    path.write_text("# A note.\n" + path.read_text())
    assert workspace.repro() == ["code"]


def test_a_change_of_the_report_leaves_all_else_alone(workspace: Workspace) -> None:
    path = workspace.root / "src/fuseline/reporting/charts.py"
    path.write_text(path.read_text() + "\nUNUSED_CONSTANT = 1\n")
    assert workspace.repro() == ["code", "report"]


def test_equal_outputs_stop_a_change_from_spreading(workspace: Workspace) -> None:
    """The report reads what the stage writes anew."""
    path = workspace.root / "src/fuseline/evaluation/leakage/measure.py"
    path.write_text(path.read_text() + "\nUNUSED_CONSTANT = 1\n")
    assert workspace.repro() == ["code", "leakage"]


def test_a_changed_output_runs_what_reads_it(workspace: Workspace) -> None:
    """A longer chain: `test_team`."""
    workspace.set_params({"stress.text.noises": ["insert"]})
    assert set(workspace.repro()) == STRESS | REPORT
