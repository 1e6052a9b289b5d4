"""What lies in the folder of raw data: links that lead nowhere, files that nothing tracks."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from fuseline.errors import ConfigError, ContractError
from fuseline.pipeline.git import git
from fuseline.pipeline.repository import trouble
from fuseline.workbench.doctor.finding import Finding, Level

RAW = Path("data/raw")
# Notes of git and DVC, and what they put aside.
_NOT_DATA = (".gitignore", ".gitkeep", ".dvcignore")


def links(root: Path) -> Iterator[Finding]:
    """Whether every link in it leads somewhere: at one that does not DVC stops."""
    lost = sorted(
        path
        for folder, inner, names in os.walk(root / RAW)
        for path in (Path(folder) / name for name in (*inner, *names))
        if path.is_symlink() and not path.exists()
    )
    if not lost:
        yield Finding(Level.OK, "links", f"none in {RAW} leads nowhere")
        return
    first = lost[0]
    more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
    found = f"{first.relative_to(root)} leads to {first.readlink()}, which is not there{more}"
    pointers = [pointer_of(root, path.relative_to(root)) for path in lost]
    remedy = (
        f"dvc pull {pointers[0]}"
        if pointers[0]
        else _away(first.relative_to(root), every=len(lost) > 1 and not any(pointers))
    )
    yield Finding(Level.FATAL, "links", f"{found}; every dvc repro stops at it", remedy)


def _away(first: Path, *, every: bool) -> str:
    """What to do with a link of nobody's, or with all that lead nowhere."""
    if not every:
        return f"Put it back, or rm {shlex.quote(str(first))}"
    return f"Put them back, or remove all of them: find {RAW} -xtype l -delete"


def refuse_lost_links(root: Path) -> None:
    """Refuse what no run of the pipeline would come past.

    Raises:
        ContractError: a link leads nowhere.
    """
    for finding in links(root):
        if finding.level is Level.FATAL:
            raise ContractError(f"{finding.found}. {finding.remedy}")


def tracking(root: Path) -> Iterator[Finding]:
    """Whether git or DVC tracks all that is in it: clones and queued experiments lack the rest."""
    if trouble(root):
        # What the examination of git says.
        return
    try:
        others = (git(root, "ls-files", "--others", "-z", "--", str(RAW)) or "").split("\0")
    except ConfigError:
        return
    loose = [
        name
        for name in others
        if name
        and Path(name).name not in _NOT_DATA
        and not pointer_of(root, Path(name))
        and Path(name).suffix != ".dvc"
    ]
    if not loose:
        yield Finding(Level.OK, "tracking", f"git or DVC tracks all of {RAW}")
        return
    more = f" and {len(loose) - 3} more" if len(loose) > 3 else ""
    found = f"neither git nor DVC tracks {', '.join(loose[:3])}{more}"
    tops = sorted({"/".join(Path(name).parts[:3]) for name in loose})
    # DVC takes no folder of which git has files.
    tracked = (git(root, "ls-files", "-z", "--", *tops) or "").split("\0")
    by_git = {"/".join(Path(name).parts[:3]) for name in tracked if name}
    yield Finding(
        Level.WARNING,
        "tracking",
        f"{found}: clones, queued and temporary experiments lack them",
        " && ".join(
            f"{'git' if top in by_git else 'dvc'} add {shlex.quote(top)}" for top in tops[:3]
        ),
    )


def pointer_of(root: Path, path: Path) -> Path | None:
    """The `.dvc` file, relative to the root, that tracks a path or a folder above it."""
    for place in (path, *path.parents):
        pointer = place.parent / f"{place.name}.dvc"
        if place.name and (root / pointer).is_file():
            return pointer
    return None
