"""Telling that files have changed without reading them."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

# Name, size, time of change and number of a file.
Signature = tuple[tuple[str, int, int, int], ...]


def signature(files: Iterable[Path]) -> Signature:
    """By what files are known to have changed; nothing where one goes as they are looked at."""
    try:
        return tuple(
            (path.as_posix(), found.st_size, found.st_mtime_ns, found.st_ino)
            for path, found in ((path, path.stat()) for path in sorted(files))
            if path.is_file()
        )
    except OSError:
        return ()


def files_of(path: str) -> list[Path]:
    """The files that a path means: itself, those of a folder and of its folders, or those that a
    pattern matches; none of what is no path."""
    place = Path(path)
    if place.is_dir():
        return [one for one in place.rglob("*") if one.is_file()]
    if place.is_file():
        return [place]
    # `Path.glob` takes no absolute pattern.
    names = glob.glob(path, recursive=True)  # noqa: PTH207
    return [Path(name) for name in names if Path(name).is_file()]
