"""`fuseline new` makes a repository that lacks nothing, and harms none that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import chdir
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import Result
from ruamel.yaml import YAML
from typer.testing import CliRunner

from fuseline.cli import app
from fuseline.pipeline.provenance import stage_hashes
from fuseline.workbench.project import create, files
from tests.support.declared_stages import declared_stages
from tests.support.repository import REPOSITORY, tracked


def new(folder: Path | str) -> Result:
    return CliRunner().invoke(app, ["new", str(folder)])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("somewhere") / "not yet there" / "my-project"
    result = new(folder)
    assert result.exit_code == 0, result.output
    assert f"cd '{folder}'\n" in result.output
    return folder


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_all_of_it_is_staged_and_what_is_of_this_clone_alone_is_not(project: Path) -> None:
    staged = git(project, "ls-files").splitlines()
    pipeline = [*tracked("stages", ".dvc"), "params.yaml", "tune.yaml", "dvc.yaml"]
    own = ["README.md", "Makefile", "Dockerfile", "compose.yaml", ".dockerignore"]
    others = [".gitignore", ".dvcignore", "constraints.txt", "data/raw/.gitkeep"]
    assert sorted(staged) == sorted([*pipeline, *own, *others])
    assert git(project, "status", "--porcelain", "--untracked-files=all").count("??") == 0
    # As `make setup` does.
    with chdir(project):
        assert CliRunner().invoke(app, ["plots-page"]).exit_code == 0
    assert (project / ".dvc/plots.html").exists()
    assert git(project, "status", "--porcelain", "--untracked-files=all").count("??") == 0


def test_files_are_those_of_the_repository(project: Path) -> None:
    for name in git(project, "ls-files").splitlines():
        if name in ("dvc.yaml", "constraints.txt") or (files.OWN / name).exists():
            continue
        assert (project / name).read_bytes() == (REPOSITORY / name).read_bytes(), name


def test_the_page_of_the_project_bears_its_name(project: Path) -> None:
    assert (project / "README.md").read_text().startswith("# my-project\n")


def test_its_version_is_one_of_those_that_belong_together(project: Path) -> None:
    pins = (project / "constraints.txt").read_text()
    pin = f"fuseline=={metadata.version('fuseline')}\n"
    assert pins == (REPOSITORY / "constraints.txt").read_text() + pin


def test_stages_are_those_of_the_repository_but_for_what_code_watches(project: Path) -> None:
    stages, shipped = declared_stages(project), declared_stages(REPOSITORY)
    assert stages.pop("code").deps == frozenset()
    assert shipped.pop("code").deps == {"src", "stages"}
    assert stages == shipped
    text = (project / "dvc.yaml").read_text()
    assert YAML(typ="safe").load(text)["stages"]["code"]["always_changed"] is True


def test_the_code_of_its_stages_is_that_of_the_repository(project: Path) -> None:
    """Whoever moves a project into a clone, or out of one, computes nothing anew."""
    there = stage_hashes(REPOSITORY / "src", REPOSITORY / "stages")
    assert stage_hashes(project / "src", project / "stages") == there


def test_its_params_are_valid(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0, result.output


def test_the_doctor_finds_nothing_fatal(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "no commit yet" in result.output


def test_nothing_of_this_machine_is_in_it(project: Path) -> None:
    places = [str(REPOSITORY), str(Path(metadata.__file__).parent), str(project)]
    for name in git(project, "ls-files").splitlines():
        text = (project / name).read_text()
        assert [place for place in places if place in text] == [], name


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (["rows.csv"], "found rows.csv in it"),
        (["a", "b", "c", "d", "e"], "found a, b, c and 2 more in it"),
        ([".git/HEAD", "README.md"], "found .git, README.md in it"),
    ],
)
def test_a_folder_with_something_in_it_is_left_alone(
    there: list[str], found: str, tmp_path: Path
) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    before = sorted(tmp_path.rglob("*"))
    result = new(tmp_path)
    assert result.exit_code == 2
    assert f"new: {tmp_path}: expected a new or empty folder, {found}." in result.output
    assert "fuseline init FILE in it" in result.output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()
    result = new(tmp_path / "rows.csv")
    assert result.exit_code == 2
    assert "rows.csv: expected a new or empty folder, found a file" in result.output


def test_a_repository_that_was_just_cloned_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch", "trunk")
    monkeypatch.chdir(tmp_path)
    result = new(".")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "README.md").read_text().startswith(f"# {tmp_path.name}\n")
    assert git(tmp_path, "symbolic-ref", "--short", "HEAD") == "trunk\n"


def test_an_installation_without_the_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "carried", lambda: tmp_path)
    result = new(tmp_path / "project")
    assert result.exit_code == 2
    assert f"{tmp_path}: expected dvc.yaml and the other files of a project" in result.output
    assert not (tmp_path / "project").exists()


def test_without_git_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = new(tmp_path / "project")
    assert result.exit_code == 2
    assert "new: git: cannot be run" in result.output
    assert list((tmp_path / "project").iterdir()) == []


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"])
def test_another_repository_that_git_is_told_of_is_left_alone(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "another"))
    result = new(tmp_path / "project")
    assert result.exit_code == 2
    assert f"new: {variable} is set, so git would work in another repository" in result.output
    assert list(tmp_path.iterdir()) == []


def test_where_no_folder_can_be_made_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()
    result = new(tmp_path / "rows.csv/project")
    assert result.exit_code == 2
    assert "rows.csv/project: cannot be made (Not a directory)" in result.output


def make(project: Path, target: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # Where another make runs the tests, this one would say which folder it enters.
        ["make", "--no-print-directory", target],
        cwd=project,
        env=os.environ | {"PATH": path},
        check=False,
        capture_output=True,
        text=True,
    )


def test_make_lists_its_targets(project: Path) -> None:
    listed = make(project, "help", os.environ["PATH"]).stdout
    assert [line.split()[0] for line in listed.splitlines()] == [
        "help",
        "setup",
        "repro",
        "serve",
        "monitor",
        "experiments",
    ]


def test_make_names_the_environment_that_lacks_the_package(project: Path, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "make").symlink_to(shutil.which("make") or "")
    done = make(project, "repro", f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 2
    assert "python: fuseline, or what its pipeline needs, is not here." in done.stdout
    assert "fuseline check" not in done.stdout
