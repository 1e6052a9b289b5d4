"""Reading a media file that a manifest names, without leaving the manifest's folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from fuseline.sources.base import Media, Problem


def read_media(root: Path, name: str, max_bytes: int) -> Media | Problem:
    """Read the file `name`, given relative to `root`.

    Args:
        root: the manifest's folder, resolved.
        name: what the manifest says.
        max_bytes: a larger file is refused unread.

    Returns:
        The file, or `unsafe_path` where the name could lead out of `root` (it is absolute, holds
        `..`, or passes a link that points outside), `missing_media` where there is no such file,
        `oversized_image` where it is too large.
    """
    if _leads_out(name):
        return Problem(
            "unsafe_path", f"{name!r} must be relative to the manifest's folder, without '..'."
        )
    try:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            return Problem("unsafe_path", f"{name!r} is a link that leaves the manifest's folder.")
        if not path.is_file():
            return Problem("missing_media", f"{name!r} is no file in the manifest's folder.")
        return _read(path, name, max_bytes)
    # A loop of links is a RuntimeError, an impossible name an OSError or a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        return Problem("missing_media", f"{name!r} cannot be read: {_why(error)}.")


def _leads_out(name: str) -> bool:
    """Whether the name is absolute or climbs, as POSIX or as Windows reads it."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    climbs = ".." in posix.parts or ".." in windows.parts
    return climbs or posix.is_absolute() or bool(windows.drive or windows.root)


def _read(path: Path, name: str, max_bytes: int) -> Media | Problem:
    size = path.stat().st_size
    if size > max_bytes:
        return Problem(
            "oversized_image",
            f"{name!r} has {size} bytes; ingest.limits.max_image_bytes is {max_bytes}.",
        )
    return Media(path.read_bytes(), PurePosixPath(name).as_posix())


def _why(error: Exception) -> str:
    """The error in words that are the same on every machine: no absolute path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "an impossible name or a loop of links"
