"""What one row may hold, field by field: what a form for a model is built of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fuseline.serving.contract import ExportContract
from fuseline.serving.server.schemas import FieldFacts


def fields_of(contract: ExportContract) -> list[FieldFacts]:
    """Fields of a row, in the order of a form."""
    return [*_texts(contract), *_media(contract), *_cells(contract)]


def _texts(contract: ExportContract) -> Iterator[FieldFacts]:
    if "text" in contract.modalities:
        for name in _columns(contract, "text") or [None]:
            yield FieldFacts(kind="text", name=name)


def _media(contract: ExportContract) -> Iterator[FieldFacts]:
    if "image" in contract.modalities:
        places, names = contract.features["image"].places, _columns(contract, "image")
        # One column may hold lists of pictures.
        for name in names if len(names) == places else [None] * places:
            yield FieldFacts(kind="image", name=name)
    if "audio" in contract.inputs:
        yield FieldFacts(kind="audio")
    if "video" in contract.inputs:
        yield FieldFacts(kind="video")


def _columns(contract: ExportContract, kind: str) -> list[str | None]:
    """Columns of the kind in the table that the model was trained on, if it was one."""
    source = getattr(contract.ingest, contract.ingest.source)
    columns = getattr(source, "columns", None)
    found = getattr(columns, kind, None)
    return list(found) if isinstance(found, list) else [found] if found else []


def _cells(contract: ExportContract) -> Iterator[FieldFacts]:
    facts = contract.features.get("tabular")
    for column in facts.settings.get("columns", []) if facts else []:
        yield FieldFacts(kind="cell", name=column["name"], **_values(column))


def _values(column: dict[str, Any]) -> dict[str, Any]:
    """What is known of a column's values."""
    if column["kind"] == "categorical":
        return {"values": "category", "choices": column["categories"]}
    if column["kind"] == "date":
        return {"values": "time" if column["has_time"] else "date"}
    edges = column["edges"]
    return {"values": "number", "range": (edges[0], edges[-1]) if edges else None}
