"""A folder of pictures: what its folders are called, and whether these are labels."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

from fuseline.data.media.names import medium_of_name
from fuseline.data.sources.batch_files import has_ending
from fuseline.data.sources.image_folder import picture_names
from fuseline.data.sources.manifest_files import FOLDER_ENDINGS, MANIFEST_FILES
from fuseline.data.sources.split_names import split_named
from fuseline.errors import ConfigError
from fuseline.workbench.scaffold.media_notes import conversion

_LOOKED_AT = 1000
_LEAST_LABELS = 2


def picture_folders(path: Path) -> tuple[list[str], list[str]]:
    """Labels, which the folders are called, and what else the user should know.

    Raises:
        ConfigError: no pictures, no two labels, or folders that are splits.
    """
    names = list(itertools.islice(picture_names(path), _LOOKED_AT))
    media = Counter(medium_of_name(name) for name in names)
    if not media["image"]:
        raise ConfigError(_no_pictures(path, media["audio"] + media["video"]))
    labels = _folders_of_pictures(path)
    if labels and all(map(split_named, labels)):
        best = next((label for label in labels if split_named(label) == "train"), labels[0])
        raise ConfigError(
            f"{path}: expected a folder for each label, found folders for splits"
            f" ({', '.join(labels)}). Name one of them, as {path / best}, or write a table"
            f" {path}/rows.csv with the line image,label,split and a line for each picture."
        )
    if len(labels) < _LEAST_LABELS:
        raise ConfigError(
            f"{path}: expected a folder of pictures for each label, two at least, found"
            f" {', '.join(labels) or 'none'}; so there is nothing to learn. Sort the pictures into"
            f" a folder for each label, or write a table {path}/rows.csv with the line image,label"
            " and a line for each picture."
        )
    shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
    notes = [f"Labels by folder: {shown}."]
    converted = conversion(names)
    notes += [converted] if converted else []
    return labels, notes


def _folders_of_pictures(path: Path) -> list[str]:
    folders = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    visible = (name for name in folders if not name.startswith("."))
    return [
        name
        for name in visible
        if any(medium_of_name(below) == "image" for below in picture_names(path, name))
    ]


def _no_pictures(path: Path, others: int) -> str:
    if others:
        return (
            f"{path}: expected pictures, found {others} sounds or videos and no table. Write a"
            f" table {path}/rows.csv: the line audio,label (or video,label), then a line for each"
            " file, with its path below this folder and its label; then run this again."
        )
    if tables := _read_by_name(path):
        return (
            f"{path}: found {', '.join(tables)}, of a kind that is read only where the file itself"
            " is named. Name the one whose rows are to be learnt from. If another says who took"
            " which of them when, that is for ingest.interactions: docs/recommendations.md."
        )
    return (
        f"{path}: expected pictures, or files ending in {', '.join(FOLDER_ENDINGS)} or .tar;"
        " found none. Name the folder that holds them."
    )


def _read_by_name(path: Path) -> list[str]:
    """Tables of the folder itself that no folder is searched for, such as `ratings.dat`."""
    files = sorted(entry for entry in path.iterdir() if entry.is_file())
    return [file.name for file in files if has_ending(file, MANIFEST_FILES)]
