"""What would make a run fail or differ here, each with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from fuseline.doctor.data import outputs, rows
from fuseline.doctor.finding import Finding, Level
from fuseline.doctor.history import git
from fuseline.doctor.installation import cores, packages, params, precision, python, versions
from fuseline.doctor.leftovers import checkpoints, locks
from fuseline.doctor.remotes import reach, remotes
from fuseline.doctor.storage import cache, disk, settings

__all__ = ["EXAMINATIONS", "Finding", "Level", "examine"]

# In the order in which a mend of one can settle the next.
EXAMINATIONS: tuple[Callable[[Path], Iterator[Finding]], ...] = (
    *(python, packages, versions),
    *(params, cores, precision),
    *(git, settings, disk, cache, remotes),
    *(rows, outputs),
    *(checkpoints, locks),
)


def examine(root: Path, *, remote: bool = False) -> Iterator[Finding]:
    """Look at everything that a run at `root`, the repository's folder, depends on.

    Args:
        root: the repository's folder.
        remote: ask the remotes too, which takes the network and seconds.
    """
    for examination in (*EXAMINATIONS, reach) if remote else EXAMINATIONS:
        yield from examination(root)
