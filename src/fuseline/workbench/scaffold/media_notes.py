"""What to know of media before ingest reads them: those it would refuse or not find."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from fuseline.data.media.names import CONVERTED_ENDINGS, ending_of, medium_of_name
from fuseline.data.sources.base import brief
from fuseline.data.sources.image_folder import picture_names
from fuseline.data.sources.media_files import is_web_address, leads_out, near_name
from fuseline.params.base import MEDIA
from fuseline.workbench.scaffold.guess import Guess
from fuseline.workbench.scaffold.profile import Profile, is_there

_LOOKED_AT = 1000
_SHOWN_FOLDERS = 5
_CONVERTED = {
    "image": ("pictures", "JPEG or PNG"),
    "audio": ("sounds", "WAV or FLAC"),
    "video": ("videos", "MP4"),
}


def path_notes(profiles: Sequence[Profile], guesses: Sequence[Guess], root: Path) -> Iterator[str]:
    """Of each column of media: paths that lead nowhere and why, and pictures to convert.

    Args:
        profiles: the columns.
        guesses: what they are for.
        root: the folder that paths are relative to.
    """
    media = {guess.column for guess in guesses if guess.field in MEDIA}
    for profile in profiles:
        if profile.name not in media:
            continue
        for note in (_lost(profile, root), conversion(profile.paths)):
            if note:
                yield f"{profile.name}: {note}"


def _lost(profile: Profile, root: Path) -> str | None:
    paths, there = profile.paths_there(root)
    lost = [path for path in profile.paths if not is_there(path, root)]
    web = sum(map(is_web_address, lost))
    if web:
        return (
            f"{web} of {paths} are web addresses, which are not fetched. Download the files and"
            " name their paths."
        )
    turned = sum("\\" in path for path in lost)
    if turned:
        return f"{turned} of {paths} paths use '\\' where '/' is expected. Replace it."
    if 2 * there >= paths:
        return None
    first = next((path for path in lost if not leads_out(path)), None)
    near = near_name(root.resolve(), PurePosixPath(first)) if first else None
    if near:
        return (
            f"{there} of {paths} files were found. Of {brief(first or '')!r} there is"
            f" {brief(near)!r}: write the names as the files are called."
        )
    return (
        f"{there} of {paths} files were found. Paths start at the table's folder, and none may be"
        " absolute or hold '..'."
    )


def conversion(names: Sequence[str]) -> str | None:
    """How many of the media ingest refuses until they are converted; None where it is none."""
    media = [name for name in names if medium_of_name(name)]
    refused = [name for name in media if ending_of(name) in CONVERTED_ENDINGS]
    if not refused:
        return None
    medium = medium_of_name(refused[0]) or ""
    shown = ", ".join(sorted({f".{ending_of(name)}" for name in refused}))
    word, formats = _CONVERTED[medium]
    return (
        f"{len(refused)} of {len(media)} {word} are {shown}, which ingest refuses. Convert"
        f" them to {formats}."
    )


def unnamed_pictures(folder: Path, table: str, guesses: Sequence[Guess]) -> Iterator[str]:
    """That a folder with a table holds folders of pictures too, where no column is of pictures."""
    if any(guess.field == "image" for guess in guesses):
        return
    names = itertools.islice(picture_names(folder), _LOOKED_AT)
    found = [name for name in names if "/" in name and medium_of_name(name) == "image"]
    labels = list(dict.fromkeys(name.partition("/")[0] for name in found))
    if labels:
        more = ", …" if len(labels) > _SHOWN_FOLDERS else ""
        yield (
            f"the folders {', '.join(labels[:_SHOWN_FOLDERS])}{more} hold pictures that no column"
            f" names. To read those, labelled by folder, move {table} elsewhere."
        )
