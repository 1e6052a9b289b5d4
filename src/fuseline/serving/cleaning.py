"""A row as it comes, to the row that `ingest` would keep."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from fuseline.data.ingest.candidate import Record
from fuseline.data.ingest.refusal import Refusal
from fuseline.data.ingest.validate import Validator
from fuseline.data.sources import RawRow
from fuseline.params.base import MODALITIES
from fuseline.serving.contract import ExportContract

# What looks for personal data loads a library that would say that it misses torch.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


@dataclass(frozen=True)
class Refused:
    """A row that is not answered: its place in the source, its id if it has one, and why, by the
    codes of the quarantine."""

    row: int
    id: str | None
    reason: str
    detail: str


@dataclass(frozen=True)
class Cleaned:
    """A row as `ingest` would keep it.

    Attributes:
        row: its place in the source.
        id: None where the source names no row.
        given: its text as it came.
        record: its columns of the examples table.
    """

    row: int
    id: str | None
    given: str | None
    record: Record


class Cleaner:
    """Cleans rows as those were cleaned that a model learnt from.

    Args:
        contract: of its export.
    """

    def __init__(self, contract: ExportContract) -> None:
        self.contract = contract
        self._validator = Validator(contract.ingest, frozenset(contract.modalities), {})

    def __call__(self, row: RawRow) -> Cleaned | Refused:
        """What `ingest` would make of a row that has no label: its text masked, its picture upright
        on white, or the reason for which it would be refused."""
        known = row.example_id if row.is_named else None
        try:
            record = self._validator.keep(self._asked(row)).record
        except Refusal as refusal:
            return Refused(row.source_row, known, refusal.reason, str(refusal.detail))
        # To be asked twice is no fault.
        self._validator.forget(record["example_id"])
        given = row.text if not row.more_texts else record["text"]
        return Cleaned(row.source_row, known, given, record)

    def _asked(self, row: RawRow) -> RawRow:
        """The row without what the model does not take, and without what only training needs."""
        taken = self.contract.inputs
        unread: dict[str, Any] = {name: None for name in MODALITIES if name not in taken}
        more = {"text": "more_texts", "image": "more_images"}
        unread |= {further: () for name, further in more.items() if name in unread}
        return replace(
            row,
            example_id=row.example_id or f"row {row.source_row}",
            label=None,
            group=None,
            split=None,
            lang=None,
            targets=None,
            license=None,
            provenance=None,
            **unread,
        )
