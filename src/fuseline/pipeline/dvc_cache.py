"""DVC's cache, and files that are links into it."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any


def dvc_config(root: Path) -> dict[str, Any] | None:
    """DVC's settings from all their files; None outside of its repositories, and where they cannot
    be read."""
    from dvc.config import Config, ConfigError

    if not (root / ".dvc").is_dir():
        return None
    try:
        return dict(Config(str(root / ".dvc")))
    # Of an account without a home: there is no place to look for the user's settings.
    except (ConfigError, RuntimeError):
        return None


def cache_folder(root: Path) -> Path | None:
    """The folder of the cache, a shared one too; None outside of a readable repository."""
    config = dvc_config(root)
    if config is None:
        return None
    return Path(config["cache"].get("dir") or root / ".dvc" / "cache")


def own_place(path: Path, root: Path = Path()) -> Path:
    """Where a file lies once links are followed, but for a link that DVC made: with `cache.type
    symlink` the files of its outputs are links into its cache, and lie where the links do.

    Args:
        path: of the file, there or not.
        root: the repository's folder.

    Raises:
        RuntimeError: the links lead in a circle.
    """
    place = path.resolve()
    if path.is_symlink() and any(place.is_relative_to(one) for one in _caches(root.resolve())):
        return path.parent.resolve() / path.name
    return place


@functools.cache
def _caches(root: Path) -> frozenset[Path]:
    """Of the repository, and of the one that this is a temporary copy of."""
    roots = {root, Path(os.environ.get("DVC_ROOT", root))}
    return frozenset(folder.resolve() for one in roots if (folder := cache_folder(one)))
