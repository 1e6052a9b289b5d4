"""Reading a media file that a row names, without leaving the source's folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from fuseline.data.sources.base import Media, Problem
from fuseline.params.ingest import LimitParams
from fuseline.pipeline.dvc_cache import own_place

MEDIA_FIELDS = ("image", "audio", "video")


def max_bytes(medium: str, limits: LimitParams) -> int:
    """Bytes that a medium, one of `MEDIA_FIELDS`, may have."""
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
        medium: one of `MEDIA_FIELDS`.
        limits: a larger file is refused unread.

    Returns:
        The file, or `unsafe_path` where the name could lead out of `root` (it is absolute, holds
        `..`, or passes a link that points outside, other than one of DVC's into its cache),
        `missing_media` where there is no such file, `oversized_image` (`_audio`, `_video`) where it
        is too large.
    """
    if leads_out(name):
        return Problem(
            "unsafe_path", f"{name!r} must be relative to the source's folder, without '..'."
        )
    try:
        path = own_place(root / name)
        if not path.is_relative_to(root):
            return Problem("unsafe_path", f"{name!r} is a link that leaves the source's folder.")
        if not path.is_file():
            detail = f"{name!r} is no file in the source's folder{_hint(name)}."
            return Problem("missing_media", detail)
        size = path.stat().st_size
        if size > max_bytes(medium, limits):
            return oversized(name, size, medium, limits)
        return Media(path.read_bytes(), PurePosixPath(name).as_posix())
    # A loop of links is a RuntimeError, an impossible name an OSError or a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        return Problem("missing_media", f"{name!r} cannot be read: {_why(error)}.")


def leads_out(name: str) -> bool:
    """Whether the name is absolute or climbs, as POSIX or as Windows reads it."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    climbs = ".." in posix.parts or ".." in windows.parts
    return climbs or posix.is_absolute() or bool(windows.drive or windows.root)


def is_web_address(name: str) -> bool:
    """Whether the name is an address, which no source fetches."""
    return name.lower().startswith(("http://", "https://"))


def _hint(name: str) -> str:
    """Why there may be no file of this name, where the name tells."""
    if is_web_address(name):
        return "; web addresses are not fetched; download the file"
    return "; it uses '\\' where '/' is expected" if "\\" in name else ""


def oversized(name: str, size: int, medium: str, limits: LimitParams) -> Problem:
    """The problem of a file of `size` bytes."""
    return Problem(
        f"oversized_{medium}",
        f"{name!r} has {size} bytes; ingest.limits.max_{medium}_bytes is"
        f" {max_bytes(medium, limits)}.",
    )


def _why(error: Exception) -> str:
    """The error in words that are the same on every machine: no absolute path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "an impossible name or a loop of links"
