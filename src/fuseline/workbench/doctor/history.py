"""What git knows of the last run, and whether it works here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fuseline.errors import FuselineError
from fuseline.pipeline.environment import RECORD_FILE, read_record
from fuseline.pipeline.git import ask, changed, is_shallow
from fuseline.pipeline.repository import trouble
from fuseline.pipeline.stage import CODE_FILE, LOCK_FILE
from fuseline.workbench.doctor.finding import Finding, Level

# What a run writes and a team shares by git, and the params that it was made with.
RESULTS = (
    *("params.yaml", LOCK_FILE.name, CODE_FILE.name, RECORD_FILE.name),
    *("metrics", "reports/plots"),
)


def git(root: Path) -> Iterator[Finding]:
    """Whether git works here, and the results of the last run are in a commit."""
    found = trouble(root)
    if found:
        yield Finding(Level.FATAL, "git", found.found, found.remedy)
        return
    if not ask(root, "rev-parse", "--verify", "--quiet", "HEAD").succeeded:
        remedy = "Commit: experiments and fuseline verify compare with a commit."
        yield Finding(Level.WARNING, "git", "no commit yet", remedy)
        return
    if is_shallow(root):
        known = ask(root, "rev-list", "--count", "HEAD").text.strip()
        yield Finding(
            Level.WARNING,
            "git",
            f"a shallow clone, with {known} commit(s) before which it knows nothing",
            "git fetch --unshallow, to compare with earlier ones.",
        )
    yield _record(root) or _results(root)


def _record(root: Path) -> Finding | None:
    """A merge may have left a record of environments that no stage can add to."""
    try:
        read_record(root)
    except (FuselineError, UnicodeDecodeError):
        remedy = (
            f"Settle the merge if there was one, or delete {RECORD_FILE}: a run writes it anew."
        )
        found = f"{RECORD_FILE} is no record of environments, and no stage can add to it"
        return Finding(Level.FATAL, "git", found, remedy)
    return None


def _results(root: Path) -> Finding:
    """Whether what the last run wrote is committed."""
    there = [name for name in RESULTS if (root / name).exists()]
    try:
        names = changed(root, *there, untracked=True) if there else []
    except FuselineError as error:
        damaged = "index" in str(error)
        anew = 'rm "$(git rev-parse --git-path index)" && git reset'
        remedy = anew if damaged else "Mend that, then run fuseline doctor again."
        return Finding(Level.FATAL, "git", str(error), remedy)
    if not names:
        return Finding(Level.OK, "git", "results of the last run are committed")
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    remedy = f"If nothing here is fatal: git add {' '.join(there)}, then commit."
    found = f"not committed: {', '.join(names[:3])}{more}"
    return Finding(Level.WARNING, "git", found, remedy)
