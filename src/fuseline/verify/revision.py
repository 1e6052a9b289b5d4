"""Files as a git revision has them. Nothing is checked out."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from fuseline.errors import ConfigError


@dataclass(frozen=True)
class Revision:
    """A commit of the repository at `root`, and the name that the user gave it."""

    root: Path
    name: str
    commit: str

    @classmethod
    def resolve(cls, root: Path, name: str) -> Revision:
        """Find the commit that a name stands for.

        Raises:
            ConfigError: `root` lies in no git repository, or it knows no such revision.
        """
        if _git(root, "rev-parse", "--git-dir") is None:
            raise ConfigError(
                f"{root}: expected a git repository, found none. Run from the root of a clone."
            )
        found = _git(
            root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        if found is None:
            raise ConfigError(
                f"{name}: no such revision. `git log --oneline` lists commits; a shallow clone"
                " knows few of them: `git fetch --unshallow` gets the others."
            )
        return cls(root, name, found.decode().strip())

    def read(self, path: str) -> bytes | None:
        """Content of a file, by its path from `root`; None where the commit has no such file."""
        return _git(self.root, "cat-file", "blob", f"{self.commit}:./{path}")

    def __str__(self) -> str:
        short = self.commit[:10]
        return short if self.commit.startswith(self.name) else f"{self.name} ({short})"


def _git(root: Path, *arguments: str) -> bytes | None:
    """What a git command prints, or None where it fails."""
    result = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    return result.stdout if result.returncode == 0 else None
