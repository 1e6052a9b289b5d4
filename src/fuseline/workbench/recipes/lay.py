"""Laying a recipe's files over a project, and none over a file of the user's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fuseline.contracts.durable import put
from fuseline.errors import ConfigError


@dataclass(frozen=True)
class Laid:
    """Files by their place in the project: those that were put there, and those of the user's that
    were there and stay as they are."""

    put: list[Path]
    kept: list[Path]


def refuse_blocked(files: Mapping[Path, Path], root: Path) -> None:
    """Refuse a project in which something stands where files need a folder.

    Args:
        files: by their place below the project's root.
        root: of the project.

    Raises:
        ConfigError: a file stands there, or a link that leads nowhere.
    """
    for place in files:
        for folder in map(root.joinpath, place.parents):
            if not folder.is_dir() and (folder.exists() or folder.is_symlink()):
                raise ConfigError(
                    f"{folder}: expected a folder, for {place}, or nothing; found a file. Move it"
                    " away."
                )


def lay(files: Mapping[Path, Path], root: Path) -> Laid:
    """Put files in place, each whole or not at all.

    Args:
        files: by their place below the project's root, where they lie.
        root: of the project.
    """
    laid = Laid([], [])
    for place, source in files.items():
        path = root / place
        # A link that leads nowhere is somebody's, too.
        if path.exists() or path.is_symlink():
            if not path.is_file() or path.read_bytes() != source.read_bytes():
                laid.kept.append(place)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        shutil.copyfile(source, partial)
        put(partial, path)
        laid.put.append(place)
    return laid
