"""The one place that runs git, and keeps what it says."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fuseline.errors import ConfigError


class NoGitError(ConfigError):
    """Git cannot be run here."""

    remedy = "Install git, or put its folder on the PATH."

    def __init__(self, found: str) -> None:
        super().__init__(f"git: {found}. {self.remedy}")
        self.found = found


@dataclass(frozen=True)
class Answer:
    """Of one git command: whether it succeeded, what it printed, and its last complaint."""

    succeeded: bool
    output: bytes
    said: str

    @property
    def text(self) -> str:
        """The output, decoded."""
        return self.output.decode("utf-8", "replace")


def ask(root: Path, *arguments: str) -> Answer:
    """Run git in a folder; what it complains of is in English whatever the locale.

    Raises:
        NoGitError: git cannot be run.
        ConfigError: there is no such folder.
    """
    environment = os.environ | {"LC_ALL": "C", "LANGUAGE": ""}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, check=False, capture_output=True, env=environment
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        if not root.is_dir():
            raise ConfigError(f"{root}: no such folder.") from None
        raise NoGitError(f"cannot be run ({error.strerror})") from None
    return Answer(done.returncode == 0, done.stdout, _complaint(done.stderr))


def git(root: Path, *arguments: str, may_fail: bool = False) -> str | None:
    """Output of a git command; None where it failed and may.

    Raises:
        ConfigError: git cannot be run, or the command failed: in git's own words.
    """
    answer = ask(root, *arguments)
    if answer.succeeded:
        return answer.text
    if may_fail:
        return None
    raise ConfigError(f"git {' '.join(arguments)}: {answer.said}")


def changed(root: Path, *paths: str, untracked: bool) -> list[str]:
    """Files below a folder that are not as HEAD has them, relative to it, sorted.

    Args:
        root: the folder; where it lies within a larger repository, the rest of that plays no part.
        paths: only these of its files and folders; all where none is named.
        untracked: new files too, one by one.

    Raises:
        ConfigError: as `git`.
    """
    options = ("--porcelain", "--no-renames", "-z", f"--untracked-files={_WORDS[untracked]}")
    listed = git(root, "status", *options, "--", *(paths or (".",))) or ""
    # Git names them from the repository's root, wherever it runs.
    within = (git(root, "rev-parse", "--show-prefix") or "").removesuffix("\n")
    return sorted(line[3:].removeprefix(within) for line in listed.split("\0") if line)


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks the commits before some."""
    return (git(root, "rev-parse", "--is-shallow-repository", may_fail=True) or "") == "true\n"


_WORDS = {True: "all", False: "no"}


def _complaint(stderr: bytes) -> str:
    """What git died of; without that all that it said."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    fatal = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    return fatal[-1] if fatal else " ".join(lines)
