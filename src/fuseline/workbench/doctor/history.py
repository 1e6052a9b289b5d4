"""What git knows of the last run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from fuseline.config import PARAMS_FILE
from fuseline.errors import ContractError
from fuseline.pipeline.environment import RECORD_FILE, read_record
from fuseline.pipeline.stage import CODE_FILE, LOCK_FILE
from fuseline.workbench.doctor.finding import Finding, Level

# What a run writes and a team shares by git.
RESULTS = (LOCK_FILE.name, CODE_FILE.name, RECORD_FILE.name, "metrics", "reports/plots")
# What they were made by: results without their params cannot be made again.
COMMITTED = (PARAMS_FILE.name, *RESULTS)


def git(root: Path) -> Iterator[Finding]:
    """Whether there is a repository with a commit, and the results of the last run are in it."""
    if _run(root, "rev-parse", "--git-dir") is None:
        remedy = "Clone the repository, or git init and commit: DVC needs one."
        yield Finding(Level.FATAL, "git", "no git repository here", remedy)
        return
    if _run(root, "rev-parse", "--verify", "HEAD") is None:
        remedy = "Commit: experiments and fuseline verify compare with a commit."
        yield Finding(Level.WARNING, "git", "no commit yet", remedy)
        return
    yield from _record(root)
    changed = (_run(root, "status", "--porcelain", "--", *RESULTS) or "").splitlines()
    if not changed:
        yield Finding(Level.OK, "git", "results of the last run are committed")
        return
    names = [line[3:] for line in changed]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    there = " ".join(name for name in COMMITTED if (root / name).exists())
    remedy = f"If nothing here is fatal: git add {there}, then commit."
    yield Finding(Level.WARNING, "git", f"not committed: {', '.join(names[:3])}{more}", remedy)


def _record(root: Path) -> Iterator[Finding]:
    """A merge may have left a record of environments that no stage can add to."""
    try:
        read_record(root)
    except (ContractError, UnicodeDecodeError):
        remedy = (
            f"Settle the merge if there was one, or delete {RECORD_FILE}: a run writes it anew."
        )
        found = f"{RECORD_FILE} is no record of environments, and no stage can add to it"
        yield Finding(Level.FATAL, "git", found, remedy)


def _run(root: Path, *arguments: str) -> str | None:
    """What a git command prints, or None where it fails or git is not installed."""
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return result.stdout if result.returncode == 0 else None
