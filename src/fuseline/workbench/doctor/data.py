"""Whether the rows that a run starts from are there, and the outputs of the last one."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuseline.config import PARAMS_FILE, read_yaml
from fuseline.errors import ConfigError
from fuseline.pipeline.dvc_cache import cache_folder
from fuseline.pipeline.lock_file import read_lock
from fuseline.pipeline.stage import LOCK_FILE
from fuseline.workbench.doctor.finding import Finding, Level
from fuseline.workbench.doctor.raw import pointer_of

# Sources that read files of the user's; the built-in ones and hub data need none.
FILE_SOURCES = ("manifest", "image_folder", "webdataset")
# DVC writes it in place: one that is killed at that moment leaves a part of it.
UNREADABLE = (
    f"Settle the merge if there was one. Otherwise git checkout {LOCK_FILE}, then dvc repro: what a"
    " killed run had finished is kept."
)


def rows(root: Path) -> Iterator[Finding]:
    """Whether the source of rows is where the params say."""
    try:
        section = read_yaml(root / PARAMS_FILE)["ingest"]
        source = section["source"]
        path = section[source]["path"] if source in FILE_SOURCES else None
    except (ConfigError, KeyError, TypeError):
        return
    if not isinstance(path, str | None):
        # What the params examination says.
        return
    if source not in FILE_SOURCES:
        yield Finding(Level.OK, "data", f"source '{source}' needs no files of yours")
    elif not path:
        found = f"ingest.{source}.path is null"
        yield Finding(
            Level.FATAL, "data", found, "Name your rows there, or run fuseline init FILE."
        )
    elif _is_there(root, path):
        yield Finding(Level.OK, "data", f"{path} is there")
    else:
        yield Finding(
            Level.FATAL, "data", f"ingest.{source}.path: {path} is not there", _fetch(root, path)
        )


def _is_there(root: Path, path: str) -> bool:
    """Whether a file or folder, or a file of a pattern is there, as sources look for them."""
    if (root / path).exists() or not glob.has_magic(path):
        return (root / path).exists()
    # `Path.glob` takes no absolute pattern, and finds hidden files.
    names = glob.iglob(path, root_dir=root, recursive=True)  # noqa: PTH207
    return any(not (root / name).is_dir() for name in names)


def _fetch(root: Path, path: str) -> str:
    """How to get rows that are not here."""
    pointer = None if Path(path).is_absolute() else pointer_of(root, Path(path))
    return f"dvc pull {pointer}" if pointer else "Put it there, or mend the path."


def outputs(root: Path) -> Iterator[Finding]:
    """Whether what `dvc.lock` names is in the workspace, or in the cache to be put there."""
    lock = root / LOCK_FILE
    folder = cache_folder(root)
    if folder is None:
        return
    if not lock.is_file():
        yield Finding(Level.OK, "outputs", "none yet", "make repro runs the pipeline.")
        return
    try:
        stages = read_lock(lock.read_bytes(), str(LOCK_FILE)).values()
    except ConfigError:
        yield Finding(Level.FATAL, "outputs", f"{LOCK_FILE} is not readable", UNREADABLE)
        return
    outs = {path: digest for stage in stages for path, digest in stage.outs.items()}
    absent = [path for path in outs if not (root / path).exists()]
    lost = [path for path in absent if not _is_cached(folder, outs[path])]
    if lost:
        found = f"neither here nor in the cache: {', '.join(lost[:3])}"
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        remedy = "dvc pull, or dvc repro to make them."
        yield Finding(Level.WARNING, "outputs", found + more, remedy)
    elif absent:
        found = f"{len(absent)} of {len(outs)} are in the cache only"
        yield Finding(Level.WARNING, "outputs", found, "dvc checkout puts them into place.")
    else:
        yield Finding(Level.OK, "outputs", f"all {len(outs)} are here")


def _is_cached(folder: Path, md5: str) -> bool:
    """Whether the cache has a file, or a folder's list with every file in it."""
    place = folder / "files" / "md5" / md5[:2] / md5[2:]
    if not place.is_file():
        return False
    if not md5.endswith(".dir"):
        return True
    try:
        listed: list[dict[str, Any]] = json.loads(place.read_text(encoding="utf-8"))
        return all(_is_cached(folder, item["md5"]) for item in listed)
    except (ValueError, KeyError, TypeError):
        # Torn: DVC would not take it either.
        return False
