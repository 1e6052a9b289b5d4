"""What git stumbles over is told in its own words, with a remedy that mends it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseline.errors import ConfigError
from fuseline.pipeline.git import changed, is_shallow
from fuseline.pipeline.repository import check, trouble
from fuseline.pipeline.revisions import WORKSPACE, head, resolve
from tests.support.workspace import GIT_IDENTITY


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits on a branch of its own name."""
    root = tmp_path / "Größe 1" / "repository"
    root.mkdir(parents=True)
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for name, value in GIT_IDENTITY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    run(root, "git init --quiet --initial-branch=work")
    for content in ("one", "two"):
        (root / "params.yaml").write_text(content)
        (root / ".dvc").mkdir(exist_ok=True)
        (root / ".dvc" / "config").write_text("")
        run(root, "git add --all && git commit --quiet --message run")
    return root


def run(root: Path, command: str) -> str:
    done = subprocess.run(command, shell=True, cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def edit(path: str, content: str) -> Callable[[Path], None]:
    return lambda root: (root / path).write_text(content) and None


def corrupt_head_object(root: Path) -> None:
    commit = run(root, "git rev-parse HEAD")
    (root / ".git/objects" / commit[:2] / commit[2:]).unlink()


def detach_and_lose(root: Path) -> None:
    run(root, "git checkout --quiet --detach")
    corrupt_head_object(root)


DAMAGED_HEADS: dict[str, tuple[Callable[[Path], object], str]] = {
    "an empty HEAD": (edit(".git/HEAD", ""), r"\.git/HEAD is damaged \(git: not a git repos"),
    "a garbled HEAD": (edit(".git/HEAD", "\0\0\0"), r"\.git/HEAD is damaged"),
    "a cut HEAD": (edit(".git/HEAD", "ref: ref"), r"\.git/HEAD is damaged"),
    "no HEAD": (lambda root: (root / ".git/HEAD").unlink(), r"\.git/HEAD is damaged"),
    "an empty branch": (edit(".git/refs/heads/work", ""), "cannot be read .git: your current bran"),
    "a garbled branch": (edit(".git/refs/heads/work", "x\n"), "your current branch appears to be"),
    "a branch of a lost commit": (corrupt_head_object, "cannot be read .git: bad object HEAD"),
    "a branch of no commit": (edit(".git/refs/heads/work", "1" * 40), "bad object HEAD"),
    "a detached HEAD of a lost commit": (detach_and_lose, "bad object HEAD"),
}


@pytest.mark.parametrize("name", DAMAGED_HEADS)
def test_a_damaged_head_is_mended_by_the_command_that_is_told(root: Path, name: str) -> None:
    damage, said = DAMAGED_HEADS[name]
    damage(root)
    found = trouble(root)
    assert found is not None
    assert re.search(said, found.found)
    with pytest.raises(ConfigError, match=said):
        check(root)
    assert "git init and commit" not in found.remedy
    command = re.sub(r" if you were on work.*", "", found.remedy).split("whole: ")[-1]
    run(root, command)
    assert trouble(root) is None
    assert run(root, "git log -1 --format=%s") == "run"


def dangle(target: str) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        (root / ".git").rename(root.parent / "elsewhere")
        (root / ".git").write_text(f"gitdir: {target}\n")

    return damage


def dangling_link(root: Path) -> None:
    (root / ".git").rename(root.parent / "elsewhere")
    (root / ".git").symlink_to("/nowhere/at/all")


WHOLE_IS_GONE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "a file that points nowhere": (dangle("/nowhere/.git"), "points to /nowhere/.git", "clone"),
    "a worktree of a moved repository": (
        *(dangle("/nowhere/.git/worktrees/mine"), "where no repository is"),
        "git worktree repair '",
    ),
    "a submodule of a moved repository": (
        *(dangle("../.git/modules/mine"), "where no repository is"),
        "git submodule update --init",
    ),
    "a file of something else": (edit(".git", ""), "names no folder", "Clone"),
    "a link that points nowhere": (dangling_link, "is a link to /nowhere", "clone"),
    "no objects": (
        *(lambda root: shutil.rmtree(root / ".git/objects"), "parts of it are missing"),
        "clone",
    ),
    "no refs": (
        *(lambda root: shutil.rmtree(root / ".git/refs"), "parts of it are missing"),
        "clone",
    ),
}


@pytest.mark.parametrize("name", WHOLE_IS_GONE)
@pytest.mark.parametrize("outer", [False, True])
def test_a_repository_that_is_gone_is_not_begun_anew(root: Path, name: str, outer: bool) -> None:
    """Nor is an outer one taken for it."""
    damage, said, remedy = WHOLE_IS_GONE[name]
    if name == "a file of something else":
        (root / ".git").rename(root.parent / "elsewhere")
    damage(root)
    if outer:
        run(root.parent, "git init --quiet && git commit --quiet --allow-empty --message outer")
    found = trouble(root)
    assert found is not None
    assert said in found.found
    assert "git: " in found.found
    assert remedy in found.remedy
    assert "git init and commit" not in found.remedy


def test_a_worktree_is_repaired_by_the_command_that_is_told(root: Path) -> None:
    tree = root.parent / "a tree"
    run(root, f"git worktree add --quiet -b other '{tree}'")
    assert trouble(tree) is None
    moved = root.rename(root.parent / "moved")
    found = trouble(tree)
    assert found is not None
    command = re.search(r"git worktree repair '[^']+'", found.remedy)
    assert command is not None
    run(moved, command[0])
    assert trouble(tree) is None


def test_another_owner_is_told_with_git_s_own_remedy(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = trouble(root)
    assert found is not None
    assert "another user's (detected dubious ownership in repository at" in found.found
    run(root, found.remedy.removeprefix("If you trust it: "))
    assert trouble(root) is None


def test_without_a_home_the_remedy_begins_with_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.delenv("HOME")
    found = trouble(root)
    assert found is not None
    assert "first: export HOME=" in found.remedy


def test_git_that_is_not_there_is_not_a_missing_repository(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = trouble(root)
    assert found is not None
    assert found.found == "cannot be run (No such file or directory)"
    assert found.remedy == "Install git, or put its folder on the PATH."
    for ask in (lambda: check(root), lambda: head(root), lambda: resolve(root, WORKSPACE)):
        with pytest.raises(ConfigError, match=r"^git: cannot be run .*Install git"):
            ask()


@pytest.mark.parametrize(
    ("damage", "said", "remedy"),
    [
        (edit(".git/config", "[core\n"), "bad config line 1 in file .git/config", "Mend that line"),
        (
            edit(".git/config", "[core]\nrepositoryformatversion = 9\n"),
            "Expected git repo version",
            "Install a newer git",
        ),
    ],
)
def test_settings_that_git_refuses_are_named(
    root: Path, damage: Callable[[Path], object], said: str, remedy: str
) -> None:
    damage(root)
    found = trouble(root)
    assert found is not None
    assert said in found.found
    assert remedy in found.remedy


def test_a_variable_that_points_nowhere_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    found = trouble(root)
    assert found is not None
    assert (found.found, found.remedy) == (
        "GIT_DIR is set, but not a git repository: '/nowhere/.git'",
        "unset GIT_DIR",
    )


def test_only_a_folder_outside_of_any_repository_is_told_to_begin_one(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    found = trouble(outside)
    assert found is not None
    assert found.found.startswith("no git repository here (not a git repository")
    assert "git init and commit" in found.remedy
    run(outside, "git init --quiet")
    assert trouble(outside) is None, "before its first commit all is well"
    with pytest.raises(ConfigError, match="no such folder"):
        trouble(tmp_path / "nowhere")


def monorepo(root: Path, tmp_path: Path) -> Path:
    """The same project in a subfolder, beside another."""
    outer = tmp_path / "mono repo"
    inner = outer / "projects" / "übung"
    shutil.copytree(root, inner, ignore=shutil.ignore_patterns(".git"))
    (outer / "other").mkdir()
    (outer / "other" / "params.yaml").write_text("other")
    run(outer, "git init --quiet && git add --all && git commit --quiet --message all")
    return inner


def test_in_a_larger_repository_paths_are_the_project_s_own(root: Path, tmp_path: Path) -> None:
    inner = monorepo(root, tmp_path)
    assert trouble(inner) is None
    assert changed(inner, untracked=True) == []
    (inner / "params.yaml").write_text("changed")
    (inner / "data" / "raw").mkdir(parents=True)
    (inner / "data" / "raw" / "ü b.csv").write_text("new")
    (inner.parents[1] / "other" / "params.yaml").write_text("not the project's")
    assert changed(inner, untracked=False) == ["params.yaml"]
    assert changed(inner, untracked=True) == ["data/raw/ü b.csv", "params.yaml"]
    assert changed(inner, "data/raw", untracked=True) == ["data/raw/ü b.csv"]
    now = resolve(inner, "HEAD")
    assert now.read("params.yaml") == b"two"
    assert now.read("other/params.yaml") is None
    assert now.files(".dvc") == [".dvc/config"]


def test_in_a_worktree_all_is_read_as_in_a_clone(root: Path) -> None:
    tree = root.parent / "tree"
    run(root, f"git worktree add --quiet '{tree}'")
    assert trouble(tree) is None
    assert head(tree) == head(root)
    (tree / "params.yaml").write_text("three")
    assert changed(tree, untracked=False) == ["params.yaml"]
    assert changed(root, untracked=False) == []
    assert resolve(tree, "work").read("params.yaml") == b"two"


def test_a_shallow_clone_says_why_a_commit_is_not_there(root: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    run(root, f"git clone --quiet --depth 1 'file://{root}' '{shallow}'")
    assert (is_shallow(shallow), is_shallow(root)) == (True, False)
    assert trouble(shallow) is None
    with pytest.raises(ConfigError, match=r"shallow clone.*git fetch --unshallow"):
        resolve(shallow, "HEAD~1")
    with pytest.raises(ConfigError) as caught:
        resolve(root, "HEAD~7")
    assert "shallow" not in str(caught.value)
    run(shallow, "git fetch --quiet --unshallow")
    assert resolve(shallow, "HEAD~1").read("params.yaml") == b"one"
