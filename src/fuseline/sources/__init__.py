"""Where rows come from: one class per source, each streaming `RawRow`s in a fixed order."""

from __future__ import annotations

from fuseline.sources.base import Media, Problem, RawRow, Source
from fuseline.sources.emoji import EmojiSource
from fuseline.sources.manifest import ManifestSource
from fuseline.sources.synthetic import SyntheticSource

SOURCES: dict[str, type[Source]] = {
    "emoji": EmojiSource,
    "manifest": ManifestSource,
    "synthetic": SyntheticSource,
}

__all__ = ["SOURCES", "Media", "Problem", "RawRow", "Source"]
