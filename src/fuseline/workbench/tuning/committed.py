"""Trials run what was committed, so nothing else may be there to be overlooked."""

from __future__ import annotations

from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.pipeline.git import changed
from fuseline.pipeline.revisions import head

# What trials run: new files here, which no experiment would take along, would be left out of them.
CODE = ("src", "stages", "dvc.yaml", "params.yaml", "data/raw")


def check_committed(root: Path, baseline: str, plan: Path) -> None:
    """Refuse a tree that is not the commit which a study began at.

    Args:
        root: the repository's folder.
        baseline: that commit.
        plan: the plan's file, which may differ: no trial reads it.

    Raises:
        ConfigError: another commit is checked out, or naming the files that differ.
    """
    if (now := head(root)) != baseline:
        raise ConfigError(
            f"commit {now[:10]} is checked out, but the study began at {baseline[:10]}. Check that"
            " one out and run the search again: it goes on with this trial."
        )
    found = {*changed(root, untracked=False), *changed(root, *CODE, untracked=True)}
    names = sorted(name for name in found if (root / name).resolve() != plan.resolve())
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ConfigError(
            f"not committed: {', '.join(names[:3])}{more}. Trials run the last commit: commit or"
            " stash the changes first."
        )
