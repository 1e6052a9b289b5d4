"""Where rows come from: one class per source, each streaming `RawRow`s in a fixed order."""

from __future__ import annotations

from fuseline.sources.base import Media, Problem, RawRow, Source
from fuseline.sources.emoji import EmojiSource
from fuseline.sources.hub_datasets import DatasetsSource
from fuseline.sources.image_folder import ImageFolderSource
from fuseline.sources.manifest import ManifestSource
from fuseline.sources.synthetic import SyntheticSource
from fuseline.sources.webdataset import WebDatasetSource

SOURCES: dict[str, type[Source]] = {
    "datasets": DatasetsSource,
    "emoji": EmojiSource,
    "image_folder": ImageFolderSource,
    "manifest": ManifestSource,
    "synthetic": SyntheticSource,
    "webdataset": WebDatasetSource,
}

__all__ = ["SOURCES", "Media", "Problem", "RawRow", "Source"]
