"""Where the user's data lies in the repository, and copying it there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from fuseline.data.sources.manifest_files import open_table
from fuseline.data.sources.media_files import leads_out
from fuseline.data.sources.table_file import BadRecord
from fuseline.errors import ConfigError
from fuseline.params.base import MEDIA
from fuseline.pipeline.dvc_cache import own_place
from fuseline.workbench.scaffold.profile import Profile
from fuseline.workbench.scaffold.proposal import Proposal

WATCHED = Path("data/raw")


def place_of(path: Path, root: Path, *, copy: bool) -> tuple[str, Path | None]:
    """Path relative to the repository, and the folder to copy to (None where it is there already).

    DVC watches `data/raw` alone, and an absolute path would hold on one machine only; so data
    elsewhere has to be copied.

    Args:
        path: the user's file or folder.
        root: the repository's root.
        copy: whether it may be copied.

    Raises:
        ConfigError: it lies elsewhere and may not be copied, or there is no room for the copy.
    """
    watched = (root / WATCHED).resolve()
    place = own_place(path, root)
    if place.is_relative_to(watched):
        return (WATCHED / place.relative_to(watched)).as_posix(), None
    folder = root / WATCHED / _stem(path)
    if not copy:
        raise ConfigError(
            f"{path} lies outside {WATCHED}, where DVC would not see it change. Move it there with"
            f" its media, or add --copy to have it copied to {WATCHED / _stem(path)}."
        )
    if folder.exists():
        raise ConfigError(f"{folder}: there already. Remove it, or rename {path}.")
    inside = WATCHED / _stem(path)
    return (inside if path.is_dir() else inside / path.name).as_posix(), folder


def bring(proposal: Proposal, folder: Path) -> int:
    """Copy the data, and the media that its rows name, whole or not at all; return the files."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    files = list(_files(proposal))
    for source, name in files:
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, partial / name)
    partial.rename(folder)
    return len(files)


def _stem(path: Path) -> str:
    return path.resolve().stem if path.is_file() else path.resolve().name


def _files(proposal: Proposal) -> Iterator[tuple[Path, Path]]:
    """Each file and its place in the copy; links that leave the folder are left behind."""
    root = proposal.path if proposal.path.is_dir() else proposal.path.parent
    names: dict[Path, None] = {}
    if proposal.path.is_dir():
        names |= dict.fromkeys(path.relative_to(root) for path in sorted(root.rglob("*")))
    else:
        names[Path(proposal.path.name)] = None
        names |= dict.fromkeys(_named_media(proposal))
    resolved = root.resolve()
    for name in names:
        source = root / name
        visible = not any(part.startswith(".") for part in name.parts)
        if visible and source.is_file() and source.resolve().is_relative_to(resolved):
            yield source, name


def _named_media(proposal: Proposal) -> Iterator[Path]:
    """Paths that the rows of a manifest name."""
    if proposal.source != "manifest":
        return
    columns = [guess.column for guess in proposal.guesses if guess.field in MEDIA]
    file = open_table(proposal.path, columns)
    for record in file.records() if columns else ():
        if isinstance(record, BadRecord):
            continue
        for path in Profile("", [record[column] for column in columns]).paths:
            if "\0" not in path and not leads_out(path):
                yield Path(path)
