"""Where rows come from: one class per source, each streaming `RawRow`s in a fixed order."""

from __future__ import annotations

from fuseline.data.sources.base import Media, Problem, RawRow, Source
from fuseline.data.sources.emoji import EmojiSource
from fuseline.data.sources.hub_datasets import DatasetsSource
from fuseline.data.sources.image_folder import ImageFolderSource
from fuseline.data.sources.manifest import ManifestSource
from fuseline.data.sources.synthetic import SyntheticSource
from fuseline.data.sources.webdataset import WebDatasetSource

SOURCES: dict[str, type[Source]] = {
    "datasets": DatasetsSource,
    "emoji": EmojiSource,
    "image_folder": ImageFolderSource,
    "manifest": ManifestSource,
    "synthetic": SyntheticSource,
    "webdataset": WebDatasetSource,
}

__all__ = ["SOURCES", "Media", "Problem", "RawRow", "Source"]
