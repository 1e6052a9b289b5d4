"""What would make a run fail or differ here, each with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fuseline.workbench.doctor import (
    account,
    data,
    history,
    installation,
    leftovers,
    notices,
    raw,
    remotes,
    storage,
)
from fuseline.workbench.doctor.finding import Finding, Level

__all__ = ["EXAMINATIONS", "Finding", "Level", "examine"]

# In the order in which a mend of one can settle the next.
EXAMINATIONS: tuple[Callable[[Path], Iterator[Finding]], ...] = (
    *(account.names, account.folders),
    *(installation.python, installation.packages, installation.versions),
    *(installation.params, installation.cores, installation.memory, installation.precision),
    *(history.git, storage.settings, storage.locking, storage.disk, storage.cache),
    remotes.settings,
    *(data.rows, raw.links, raw.tracking, data.outputs, notices.notices),
    *(leftovers.checkpoints, leftovers.locks),
)


def examine(root: Path, *, remote: bool = False) -> Iterator[Finding]:
    """Look at everything that a run at `root`, the repository's folder, depends on.

    Args:
        root: the repository's folder.
        remote: ask the remotes too, which takes the network and seconds.
    """
    for examination in (*EXAMINATIONS, remotes.reach) if remote else EXAMINATIONS:
        try:
            yield from examination(root)
        # A full disk, a read-only folder, a file of another user: the others are looked at anyway.
        except OSError as error:
            remedy = "A run would stop at that too. Mend it, then run fuseline doctor again."
            yield Finding(Level.FATAL, examination.__name__, str(error), remedy)
