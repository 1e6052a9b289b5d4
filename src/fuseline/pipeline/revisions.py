"""Revisions of the repository by name: read through git, never checked out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.config import parse_yaml
from fuseline.errors import ConfigError, ContractError
from fuseline.pipeline.git import ask, git, is_shallow
from fuseline.pipeline.metrics_file import joined
from fuseline.pipeline.repository import check
from fuseline.registry import suggestion

WORKSPACE = "workspace"
# refs/exps/<2 digits>/<38 digits of the commit that it began at>/<name>
EXPERIMENT_REFS = "refs/exps/??/*/*"


@dataclass(frozen=True)
class Revision:
    """One state of the repository.

    Attributes:
        root: the repository's folder.
        name: as it was asked for.
        commit: SHA-1, or None for the files as they are now.
    """

    root: Path
    name: str
    commit: str | None

    def read(self, path: str) -> bytes | None:
        """Content of a file, its path relative to the root; None where there is none."""
        if self.commit is None:
            file = self.root / path
            return file.read_bytes() if file.is_file() else None
        # Of a folder, `git show` would print a listing.
        answer = ask(self.root, "cat-file", "blob", f"{self.commit}:./{path}")
        return answer.output if answer.succeeded else None

    def __str__(self) -> str:
        if self.commit is None:
            return self.name
        short = self.commit[:10]
        return short if self.commit.startswith(self.name) else f"{self.name} ({short})"

    def files(self, folder: str) -> list[str]:
        """Paths of the files right in a folder, sorted; none where there is no such folder."""
        if self.commit is None:
            return sorted(f"{folder}/{file.name}" for file in (self.root / folder).glob("*.*"))
        listed = git(self.root, "ls-tree", "--name-only", self.commit, f"./{folder}/")
        return sorted((listed or "").splitlines())

    def read_metrics(self, path: str) -> dict[str, Any]:
        """The figures of a metrics file, headline and details side by side.

        Raises:
            ContractError: there is no such file, or it is no metrics file.
        """
        text = self.read(path)
        if text is None:
            raise ContractError(f"{self.name}: {path}: not found.")
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ContractError(f"{self.name}: {path}: not readable as JSON: {error}") from None
        return joined(content, f"{self.name}: {path}")

    def read_yaml(self, path: str) -> dict[str, Any]:
        """Content of a YAML 1.2 file; empty where there is none.

        Raises:
            ConfigError: it is not YAML, or no mapping.
        """
        return parse_yaml(self.read(path) or b"{}", f"{self.name}: {path}")


def resolve(root: Path, name: str) -> Revision:
    """The revision of a name: `workspace`, what git knows, or an experiment.

    Raises:
        ConfigError: nothing, or several experiments, have that name; or git cannot be read.
    """
    check_repository(root)
    if name == WORKSPACE:
        return Revision(root, name, None)
    commit = git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", may_fail=True)
    return Revision(root, name, commit.strip() if commit else _experiment_commit(root, name))


def experiment(root: Path, name: str, baseline: str) -> Revision | None:
    """The experiment of a name that began at commit `baseline`; None where there is none."""
    ref = f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}"
    commit = git(root, "rev-parse", "--verify", "--quiet", ref, may_fail=True)
    return Revision(root, name, commit.strip()) if commit else None


def head(root: Path) -> str:
    """The commit that is checked out.

    Raises:
        ConfigError: there is none.
    """
    check_repository(root)
    commit = git(root, "rev-parse", "--verify", "--quiet", "HEAD", may_fail=True)
    if not commit:
        raise ConfigError(f"{root.resolve()}: nothing was committed yet. Run `git commit` first.")
    return commit.strip()


def check_repository(root: Path) -> None:
    """Refuse a folder that is not the root of a DVC repository in git.

    Raises:
        ConfigError: saying which of the two it is not, or why git cannot read it.
    """
    check(root)
    if not (root / ".dvc").is_dir():
        raise ConfigError(".dvc: not found. Run from the root of a Fuseline repository.")


def _experiment_commit(root: Path, name: str) -> str:
    """By its name alone; where several commits have such an experiment, that of HEAD."""
    found = _experiments(root)
    named = {ref: commit for ref, commit in found.items() if ref.rsplit("/", 1)[1] == name}
    if len(named) > 1:
        baseline = head(root)
        named = {ref: sha for ref, sha in named.items() if baseline[2:] in ref} or named
    if len(named) > 1:
        raise ConfigError(
            f"'{name}': experiments of {len(named)} commits have this name. Give the one you mean"
            f" by its hash: {', '.join(sorted(sha[:10] for sha in named.values()))}."
        )
    if not named:
        names = sorted({ref.rsplit("/", 1)[1] for ref in found})
        listed = f" Experiments here: {', '.join(names)}." if names else ""
        raise ConfigError(
            f"'{name}': neither a git revision nor an experiment, nor '{WORKSPACE}'."
            f"{listed}{suggestion(name, [*names, WORKSPACE])}{_shallow(root)}"
        )
    return next(iter(named.values()))


def _shallow(root: Path) -> str:
    if not is_shallow(root):
        return ""
    return " This is a shallow clone, which lacks earlier commits: git fetch --unshallow."


def _experiments(root: Path) -> dict[str, str]:
    """Commit by ref of every experiment."""
    form = "--format=%(refname) %(objectname)"
    listed = git(root, "for-each-ref", form, EXPERIMENT_REFS) or ""
    return dict(line.split(" ", 1) for line in listed.splitlines())
