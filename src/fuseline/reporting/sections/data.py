"""The report's section on the data: what came in, what was refused, changed and found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.contracts import QUARANTINE, iter_shards, read_manifest

MAX_LISTED = 20


@dataclass(frozen=True)
class Reason:
    """Why rows lie in quarantine: the code, what it means, how many, and one of them."""

    code: str
    sentence: str
    rows: int
    share: float
    example: str


@dataclass(frozen=True)
class Counts:
    """Names with their numbers of rows, the most frequent first, under a title."""

    title: str
    rows: list[tuple[str, int]]


@dataclass(frozen=True)
class DataSection:
    """What the section shows.

    Attributes:
        ingest: the metrics of the stage.
        reasons: the most frequent first.
        counts: small tables beside each other; those without any row are left out.
        conflicts: groups of copies that bear different labels.
    """

    ingest: dict[str, Any]
    reasons: list[Reason]
    counts: list[Counts]
    conflicts: list[dict[str, Any]]


def read_data_section(ingest: dict[str, Any], examples: Path, quarantine: Path) -> DataSection:
    """Gather the section.

    Raises:
        ContractError: a table is unfinished or not what its contract says.
    """
    manifest = read_manifest(examples, "examples")
    tables = {
        "Modalities": ingest["modalities"],
        "Changed while cleaning": ingest["sanitised"],
        "Found and left": ingest["findings"],
        "Copies": dict(_leaves(ingest["duplicates"])),
        "Licences": manifest["licenses"],
        "Provenance": manifest["provenances"],
    }
    counts = [Counts(title, _most_common(rows)) for title, rows in tables.items()]
    return DataSection(
        ingest=ingest,
        reasons=_reasons(quarantine, ingest["rows_in"]),
        counts=[table for table in counts if table.rows],
        conflicts=manifest["label_conflicts"],
    )


def _reasons(folder: Path, rows_in: int) -> list[Reason]:
    sentences = read_manifest(folder, "quarantine").get("reasons", {})
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for _, table in iter_shards(folder, QUARANTINE, "quarantine", ["reason", "detail"]):
        columns = (table.column(name).to_pylist() for name in ("reason", "detail"))
        for reason, detail in zip(*columns, strict=True):
            counts[reason] += 1
            examples.setdefault(reason, detail)
    return [
        Reason(code, sentences.get(code, ""), rows, rows / max(rows_in, 1), examples[code])
        for code, rows in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _most_common(rows: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names with rows, at most 20 and the others together."""
    ordered = sorted(rows.items(), key=lambda item: (-item[1], item[0]))
    named = [(name or "not stated", count) for name, count in ordered if count]
    others = sum(count for _, count in named[MAX_LISTED:])
    return named[:MAX_LISTED] + ([("all others", others)] if others else [])


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, value in values.items():
        words = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{words}: ")
        elif isinstance(value, int):
            yield words, value
