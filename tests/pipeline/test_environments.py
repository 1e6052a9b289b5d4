"""Accounts, file systems and places as clusters, containers and laptops have them: doctor tells
what is amiss, nothing ends in a traceback, and a stage writes the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from fuseline.contracts import hash_path
from tests.support.repository import REPOSITORY
from tests.support.workspace import GIT_IDENTITY

ROWS = 12
# Python runs a module of this name before all else.
PATCH = "sitecustomize.py"
NO_NAME = """
import pwd

def unknown(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")

pwd.getpwuid = unknown
"""
NO_LOCKS = """
import errno, fcntl, os

def refuse(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

fcntl.flock = fcntl.lockf = refuse
"""


def keep_one_core() -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])


def in_larger_repository(root: Path, git: Callable[..., None]) -> Path:
    inner = root.parent / "mono" / "projects" / "one"
    inner.parent.mkdir(parents=True)
    root.rename(inner)
    commit(root.parent / "mono", git)
    return inner


def in_worktree(root: Path, git: Callable[..., None]) -> Path:
    commit(root, git)
    git(root, "worktree", "add", "--quiet", "-b", "other", str(root.parent / "tree"))
    return root.parent / "tree"


def committed(root: Path, git: Callable[..., None]) -> Path:
    commit(root, git)
    return root


def renamed(name: str, root: Path, git: Callable[..., None]) -> Path:
    commit(root, git)
    return root.rename(root.parent / name)


def never_committed(root: Path, git: Callable[..., None]) -> Path:
    return root


def commit(root: Path, git: Callable[..., None]) -> None:
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")


@dataclass(frozen=True)
class Surroundings:
    """Where and how the commands run, and what doctor says of it.

    Attributes:
        told: pieces of doctor's words; FATAL where it fails.
        fatal: whether a run would fail.
        variables: set, or unset where None.
        patch: Python code that stands in for what the system lacks.
        place: moves the project, and puts it under git.
        options: of the process.
    """

    told: tuple[str, ...] = ()
    fatal: bool = False
    variables: dict[str, str | None] = field(default_factory=dict)
    patch: str = ""
    place: Callable[[Path, Callable[..., None]], Path] = committed
    options: dict[str, object] = field(default_factory=dict)
    said_by_stage: str = ""


NAMELESS = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"))
SURROUNDINGS = {
    "nothing special": Surroundings(),
    "no HOME": Surroundings(variables={"HOME": None}),
    "no name": Surroundings(
        ("has no name, and DVC asks for one", "-> export USER=user"),
        fatal=True,
        variables=NAMELESS,
        patch=NO_NAME,
    ),
    "no name but a variable": Surroundings(variables=NAMELESS | {"USER": "me"}, patch=NO_NAME),
    "no name and no home": Surroundings(
        ("has no home, and DVC asks for one", "-> export HOME=$(mktemp -d)"),
        fatal=True,
        variables=NAMELESS | {"HOME": None},
        patch=NO_NAME,
    ),
    "a home that is not there": Surroundings(variables={"HOME": "/nowhere/at/all"}),
    "a home that nobody can write to": Surroundings(variables={"HOME": "/proc"}),
    "another owner": Surroundings(
        ("detected dubious ownership", "-> If you trust it: git config --global"),
        fatal=True,
        variables={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"},
    ),
    "no locks": Surroundings(
        ("keeps no locks (No locks available)", "core.hardlink_lock true"),
        fatal=True,
        patch=NO_LOCKS,
        said_by_stage="warning: this file system keeps no locks (No locks available)",
    ),
    "a larger repository": Surroundings(place=in_larger_repository),
    "a worktree": Surroundings(place=in_worktree),
    "spaces and umlauts": Surroundings(place=partial(renamed, "Größe 1 & 'mehr'")),
    "another script": Surroundings(place=partial(renamed, "プロジェクト")),
    "no git repository": Surroundings(
        ("no git repository here", "git init and commit"), fatal=True, place=never_committed
    ),
    "no git": Surroundings(
        ("FATAL    git: cannot be run", "Install git"), fatal=True, variables={"PATH": "/nowhere"}
    ),
    "umask 077": Surroundings(options={"umask": 0o077}),
    "one core": Surroundings(
        ("1 core for base.num_threads = 2",),
        options={
            "preexec_fn": lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        },
    ),
    "no language": Surroundings(variables={"LANG": None, "LC_ALL": "C", "PYTHONUTF8": "0"}),
}


@dataclass
class Machine:
    """A project of its own below a folder, and how its commands run."""

    folder: Path
    how: Surroundings

    def set_up(self) -> Path:
        root = self.folder / "project"
        for name in ("params.yaml", "constraints.txt", "code.json", ".gitignore"):
            root.mkdir(exist_ok=True)
            shutil.copy(REPOSITORY / name, root)
        (root / "data" / "raw").mkdir(parents=True)
        (root / "data" / "raw" / ".gitkeep").touch()
        (root / ".dvc").mkdir()
        shutil.copy(REPOSITORY / ".dvc" / "config", root / ".dvc")
        shutil.copy(REPOSITORY / ".dvc" / ".gitignore", root / ".dvc")
        params = YAML().load(root / "params.yaml")
        params["ingest"]["source"] = "synthetic"
        params["ingest"]["synthetic"] |= {"num_rows": ROWS, "image_size": 8}
        params["base"]["num_threads"] = 2
        YAML().dump(params, root / "params.yaml")
        (self.folder / "patch").mkdir()
        (self.folder / "patch" / PATCH).write_text(self.how.patch)
        return self.how.place(root, self.git)

    def git(self, root: Path, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=root, check=True, env=os.environ | GIT_IDENTITY)

    def run(self, root: Path, *command: str) -> subprocess.CompletedProcess[str]:
        places = (self.folder / "patch", REPOSITORY / "src", REPOSITORY)
        variables: dict[str, str | None] = dict(os.environ)
        variables |= {"PYTHONPATH": ":".join(map(str, places)), "DVC_ROOT": None}
        variables |= {"GIT_CEILING_DIRECTORIES": str(self.folder)} | self.how.variables
        environment = {name: value for name, value in variables.items() if value is not None}
        return subprocess.run(
            [sys.executable, *command],
            cwd=root,
            env=environment,
            text=True,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self.how.options,
        )


INGEST = (
    *("-m", "stages.ingest", "--raw", "data/raw", "--examples", "data/examples"),
    *("--quarantine", "data/quarantine", "--interactions", "data/interactions"),
    *("--metrics", "metrics/ingest.json"),
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Hash of the examples where nothing is special."""
    machine = Machine(tmp_path_factory.mktemp("expected"), Surroundings())
    root = machine.set_up()
    assert machine.run(root, *INGEST).returncode == 0
    return hash_path(root / "data/examples")


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_every_place_is_told_of_and_none_changes_a_byte(
    tmp_path: Path, name: str, expected: str
) -> None:
    how = SURROUNDINGS[name]
    machine = Machine(tmp_path, how)
    root = machine.set_up()
    doctor = machine.run(root, "-m", "fuseline.cli", "doctor")
    check = machine.run(root, "-m", "fuseline.cli", "check")
    ingest = machine.run(root, *INGEST)
    for done in (doctor, check, ingest):
        assert "Traceback" not in done.stdout, done.stdout
    assert all(piece in doctor.stdout for piece in how.told), doctor.stdout
    assert doctor.returncode == int(how.fatal), doctor.stdout
    assert ("FATAL" in doctor.stdout) == how.fatal
    assert (check.returncode, ingest.returncode) == (0, 0), ingest.stdout
    assert how.said_by_stage in ingest.stdout
    assert ingest.stdout.count("keeps no locks") == int("keeps" in how.said_by_stage)
    assert hash_path(root / "data/examples") == expected
    assert not (root / "~").exists(), "what looks for a home makes none here"
