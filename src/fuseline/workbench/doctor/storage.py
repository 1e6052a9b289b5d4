"""Where data and models lie: DVC's settings, the disk, the cache."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuseline.pipeline.dvc_cache import cache_folder, dvc_config
from fuseline.pipeline.locks import lack_of_locks, locks_by_links
from fuseline.workbench.doctor.finding import Finding, Level, size

GIGABYTE = 10**9
FATAL_DISK_GIGABYTES = 1
LOW_DISK_GIGABYTES = 5


def settings(root: Path) -> Iterator[Finding]:
    """Whether this is a repository of DVC, with settings that it can read."""
    from dvc.config import Config, ConfigError

    if not (root / ".dvc").is_dir():
        remedy = "Run from the root of a clone, or dvc init."
        yield Finding(Level.FATAL, "dvc", "no .dvc folder here", remedy)
        return
    try:
        Config(str(root / ".dvc"))
    except RuntimeError as error:
        remedy = "export HOME=$(mktemp -d)"
        yield Finding(Level.FATAL, "dvc", f"settings have no place: {error}", remedy)
    except ConfigError as error:
        remedy = "Mend .dvc/config or .dvc/config.local."
        yield Finding(Level.FATAL, "dvc", f"settings are not valid: {error}", remedy)
    else:
        yield Finding(Level.OK, "dvc", "settings are valid")


def disk(root: Path) -> Iterator[Finding]:
    """Whether the disk has room for what a run writes."""
    yield _room("disk", root)


def cache(root: Path) -> Iterator[Finding]:
    """Whether the cache can be written, how large it is, and what outputs cost beside it."""
    folder = cache_folder(root)
    if folder is None:
        return
    beside = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(beside, os.W_OK):
        remedy = f"Give yourself the right to write: chmod u+w {beside}."
        yield Finding(Level.FATAL, "cache", f"{beside} is not writable", remedy)
        return
    yield _link(root, folder, beside)
    if beside.stat().st_dev != root.stat().st_dev:
        yield _room("disk of the cache", beside)


def locking(root: Path) -> Iterator[Finding]:
    """Whether the file system keeps the locks that DVC and the stages take."""
    said = lack_of_locks(root)
    if not said:
        yield Finding(Level.OK, "file system", "keeps locks")
    elif locks_by_links(root):
        found = f"keeps no locks ({said}): DVC locks by links, stages do not know of each other"
        yield Finding(Level.WARNING, "file system", found, "Start one dvc repro at a time.")
    else:
        found = f"keeps no locks ({said}), which DVC calls another DVC at work"
        remedy = "dvc config --local core.hardlink_lock true"
        yield Finding(Level.FATAL, "file system", found, remedy)


def _room(subject: str, place: Path) -> Finding:
    free = shutil.disk_usage(place).free / GIGABYTE
    found = f"{free:.1f} GB free"
    if free >= LOW_DISK_GIGABYTES:
        return Finding(Level.OK, subject, found)
    level = Level.FATAL if free < FATAL_DISK_GIGABYTES else Level.WARNING
    remedy = "Free some: dvc gc --workspace removes what no current stage uses."
    return Finding(level, subject, found, remedy)


def _link(root: Path, folder: Path, beside: Path) -> Finding:
    """How outputs get from the cache to the workspace: the first way of `cache.type` that works."""
    config = dvc_config(root) or {}
    allowed = config["cache"].get("type") or ["reflink", "copy"]
    kind = next((name for name in allowed if _works(name, beside, root)), "copy")
    held = f"{size(_bytes_below(folder))} in the cache"
    if kind != "copy":
        return Finding(Level.OK, "cache", f"{held}, outputs are a {kind} of it and cost nothing")
    remedy = ""
    if "hardlink" not in allowed and _works("hardlink", beside, root):
        remedy = (
            "To spare that: dvc config --local cache.type reflink,hardlink,copy and"
            " dvc checkout --relink. Outputs are then read-only."
        )
    return Finding(
        Level.OK, "cache", f"{held}, outputs are copies that need their size again", remedy
    )


def _works(kind: str, source: Path, target: Path) -> bool:
    """Whether the file systems of two folders make a kind of link."""
    from dvc_objects.fs import system

    make = {"reflink": system.reflink, "hardlink": system.hardlink, "symlink": system.symlink}
    if kind == "copy":
        return True
    with (
        tempfile.TemporaryDirectory(dir=source, prefix=".link-") as there,
        tempfile.TemporaryDirectory(dir=target, prefix=".link-") as here,
    ):
        file = Path(there) / "file"
        file.write_bytes(b"fuseline")
        try:
            make[kind](str(file), str(Path(here) / "file"))
        except (OSError, NotImplementedError):
            return False
    return True


def _bytes_below(folder: Path) -> int:
    """Size of all files below a folder; one that a `dvc` at work removes meanwhile counts not."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_size
    return total
