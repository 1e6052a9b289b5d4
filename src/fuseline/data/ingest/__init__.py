"""From a source's raw rows to validated, split examples; what is refused goes to quarantine."""

from __future__ import annotations

from fuseline.data.ingest.run import ingest_examples

__all__ = ["ingest_examples"]
