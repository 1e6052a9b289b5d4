"""The commit that a run is held against."""

from __future__ import annotations

from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.pipeline.git import git, is_shallow
from fuseline.pipeline.repository import check
from fuseline.pipeline.revisions import Revision


def commit_of(root: Path, name: str) -> Revision:
    """Find the commit that a name stands for.

    Raises:
        ConfigError: git does not work in `root`, or it knows no such revision.
    """
    check(root)
    found = git(
        root,
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
        may_fail=True,
    )
    if not found:
        shallow = " This is a shallow clone: `git fetch --unshallow` gets the earlier ones."
        raise ConfigError(
            f"{name}: no such revision. `git log --oneline` lists commits."
            f"{shallow if is_shallow(root) else ''}"
        )
    return Revision(root, name, found.strip())
