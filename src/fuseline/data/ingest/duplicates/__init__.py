"""Finding rows that copy earlier ones."""

from __future__ import annotations

from fuseline.data.ingest.duplicates.search import Contents, Copy, CopySearch

__all__ = ["Contents", "Copy", "CopySearch"]
