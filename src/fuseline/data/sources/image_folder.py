"""A folder with one folder of pictures per label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fuseline.data.sources.base import Media, Problem, RawRow, Source
from fuseline.data.sources.cells import is_broken
from fuseline.data.sources.media_files import read_media
from fuseline.errors import ConfigError, ContractError
from fuseline.params.ingest import IngestParams

PATH_KEY = "ingest.image_folder.path"

# What describes a folder of pictures and is none of them. Any other file is a row, and what turns
# out to be no picture ends in quarantine.
_TABLES = (".csv", ".db", ".json", ".jsonl", ".parquet", ".tsv")
_NOTES = (".html", ".md", ".pdf", ".rst", ".txt")
_SETTINGS = (".dvc", ".ini", ".toml", ".xml", ".yaml", ".yml")
BESIDE = frozenset((*_TABLES, *_NOTES, *_SETTINGS))


class ImageFolderSource(Source):
    """One row per file, in the order of their paths.

    The label is the first folder below the root, however deep the file lies; a picture beside
    those folders has none. The path below the root names the row. Hidden files and folders, and
    the endings `BESIDE`, are left out.
    """

    name = "image_folder"

    def __init__(self, params: IngestParams) -> None:
        self._limits = params.limits
        self._root = _root(params.image_folder.path)
        first = next(picture_names(self._root), None)
        if first is None:
            raise ContractError(
                f"{PATH_KEY}: '{self._root.name}' holds no pictures. Put some there."
            )
        self._labelled = any("/" in name for name in picture_names(self._root))

    @property
    def fields(self) -> frozenset[str]:
        return frozenset({"image", "label"} if self._labelled else {"image"})

    def rows(self) -> Iterator[RawRow]:
        for position, name in enumerate(picture_names(self._root)):
            yield self._row(position, name)

    def _row(self, position: int, name: str) -> RawRow:
        folder, inside, _ = name.partition("/")
        label = folder if inside else None
        image = self._picture(name)
        return RawRow(
            source_row=position,
            example_id=None if is_broken(name) else name,
            label=None if is_broken(folder) else label,
            image=image if isinstance(image, Media) else None,
            problems=(image,) if isinstance(image, Problem) else (),
            raw={"path": name, "label": label},
        )

    def _picture(self, name: str) -> Media | Problem:
        if is_broken(name):
            return Problem("malformed_row", "The file's name is not valid UTF-8.")
        if (self._root / name).is_dir():
            return Problem("unsafe_path", f"{name!r} is a link to a folder, which is not followed.")
        return read_media(self._root, name, "image", self._limits)


def _root(path: str | None) -> Path:
    if not path:
        raise ConfigError(
            f"{PATH_KEY}: expected a folder, found null. Set it to your folder of pictures, for"
            " example data/raw/pictures."
        )
    if not Path(path).is_dir():
        raise ConfigError(
            f"{PATH_KEY}: expected a folder, found none at '{path}'. Relative paths start at the"
            " root of the repository."
        )
    return Path(path).resolve()


def picture_names(root: Path, below: str = "") -> Iterator[str]:
    """Paths of the files below `root`, sorted folder by folder; a linked folder is one name."""
    for entry in sorted((root / below).iterdir(), key=lambda entry: entry.name):
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from picture_names(root, name)
        elif entry.suffix.lower() not in BESIDE:
            yield name
