"""Reading a media file that a row names, without leaving the source's folder."""

from __future__ import annotations

import base64
import re
import unicodedata
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from fuseline.data.sources.base import Media, Problem, brief
from fuseline.params.ingest import LimitParams
from fuseline.pipeline.dvc_cache import own_place

# No file system has longer names, and no base64 of a picture or sound is shorter.
_LONGEST_NAME = 255
_DATA_URI = re.compile(r"data:[\w.+-]*/?[\w.+-]*(;[\w.=+-]+)*;base64,", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")


def embedded_bytes(cell: str) -> bytes | None:
    """The medium that a cell holds as a data URI or as plain base64; None where it is a path."""
    prefix = _DATA_URI.match(cell)
    if prefix is None and (len(cell) <= _LONGEST_NAME or not _BASE64.fullmatch(cell)):
        return None
    content = cell[prefix.end() :] if prefix else cell
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except ValueError:
        return None


def max_bytes(medium: str, limits: LimitParams) -> int:
    """Bytes that a medium, one of `MEDIA` of `fuseline.params.base`, may have."""
    return {
        "image": limits.max_image_bytes,
        "audio": limits.max_audio_bytes,
        "video": limits.max_video_bytes,
    }[medium]


def read_media(root: Path, name: str, medium: str, limits: LimitParams) -> Media | Problem:
    """Read the file `name`, given relative to `root`.

    Args:
        root: the source's folder, resolved.
        name: what the row says.
        medium: one of `MEDIA` of `fuseline.params.base`.
        limits: a larger file is refused unread.

    Returns:
        The file, or `unsafe_path` where the name could lead out of `root` (it is absolute, holds
        `..`, or passes a link that points outside, other than one of DVC's into its cache),
        `missing_media` where there is no such file, `oversized_image` (`_audio`, `_video`) where it
        is too large.
    """
    shown = repr(brief(name))
    if leads_out(name):
        return Problem(
            "unsafe_path", f"{shown} must be relative to the source's folder, without '..'."
        )
    try:
        path = own_place(root / name)
        if not path.is_relative_to(root):
            return Problem("unsafe_path", f"{shown} is a link that leaves the source's folder.")
        if not path.is_file():
            detail = f"{shown} is no file in the source's folder{_hint(root, name)}."
            return Problem("missing_media", detail)
        size = path.stat().st_size
        if size > max_bytes(medium, limits):
            return oversized(name, size, medium, limits)
        return Media(path.read_bytes(), PurePosixPath(name).as_posix())
    # A loop of links is a RuntimeError, an impossible name an OSError or a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        return Problem("missing_media", f"{shown} cannot be read: {_why(error)}.")


def leads_out(name: str) -> bool:
    """Whether the name is absolute or climbs, as POSIX or as Windows reads it."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    climbs = ".." in posix.parts or ".." in windows.parts
    return climbs or posix.is_absolute() or bool(windows.drive or windows.root)


def is_web_address(name: str) -> bool:
    """Whether the name is an address, which no source fetches."""
    return name.lower().startswith(("http://", "https://"))


def _hint(root: Path, name: str) -> str:
    """Why there may be no file of this name, where the name or the folder tells."""
    if is_web_address(name):
        return "; web addresses are not fetched; download the file"
    if "\\" in name:
        return "; it uses '\\' where '/' is expected"
    near = near_name(root, PurePosixPath(name))
    return f"; there is {brief(near)!r}" if near else ""


def near_name(root: Path, name: PurePosixPath) -> str | None:
    """The file that the name may mean: in another case or Unicode form, with stray spaces, or
    with another ending; None where there is none below `root`, which is resolved."""
    found = PurePosixPath()
    for part in name.parts:
        entries = _entries(root / found)
        stem = _folded(PurePosixPath(part).stem)
        near = entries.get(_folded(part)) or (
            entries.get(f"{stem}.*") if part == name.name else None
        )
        if near is None:
            return None
        found /= near
    path = (root / found).resolve()
    return found.as_posix() if path.is_relative_to(root) and path.is_file() else None


@lru_cache(maxsize=64)
def _entries(folder: Path) -> dict[str, str]:
    """Names in a folder by their folded spelling, and by that of their stem as `stem.*`."""
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    stems = {f"{_folded(PurePosixPath(name).stem)}.*": name for name in reversed(names)}
    return stems | {_folded(name): name for name in reversed(names)}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


def oversized(name: str, size: int, medium: str, limits: LimitParams) -> Problem:
    """The problem of a file of `size` bytes."""
    return Problem(
        f"oversized_{medium}",
        f"{brief(name)!r} has {size} bytes; ingest.limits.max_{medium}_bytes is"
        f" {max_bytes(medium, limits)}.",
    )


def _why(error: Exception) -> str:
    """The error in words that are the same on every machine: no absolute path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "an impossible name or a loop of links"
