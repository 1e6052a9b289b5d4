"""The commit that a run is held against."""

from __future__ import annotations

from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.pipeline.revisions import Revision, git


def commit_of(root: Path, name: str) -> Revision:
    """Find the commit that a name stands for.

    Raises:
        ConfigError: `root` lies in no git repository, or it knows no such revision.
    """
    if git(root, "rev-parse", "--git-dir", may_fail=True) is None:
        raise ConfigError(
            f"{root}: expected a git repository, found none. Run from the root of a clone."
        )
    found = git(
        root,
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
        may_fail=True,
    )
    if not found:
        raise ConfigError(
            f"{name}: no such revision. `git log --oneline` lists commits; a shallow clone"
            " knows few of them: `git fetch --unshallow` gets the others."
        )
    return Revision(root, name, found.strip())
