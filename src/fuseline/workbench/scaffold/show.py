"""The proposal as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from fuseline.workbench.scaffold.bring import WATCHED
from fuseline.workbench.scaffold.proposal import Proposal

_HEADING = ("column", "is for", "because", "for example")
_LEFT_OUT = "-"


def table(proposal: Proposal) -> str:
    """Source, modalities, and a line for each column: its field, the reason and three values."""
    lines = [
        f"{proposal.path}: source {proposal.source}, modalities {', '.join(proposal.modalities)}"
    ]
    if proposal.guesses:
        rows = [
            (guess.column, guess.field or _LEFT_OUT, guess.reason, " | ".join(guess.samples))
            for guess in proposal.guesses
        ]
        lines += ["", *_aligned([_HEADING, *rows])]
    lines += [f"Note: {note}" for note in proposal.notes]
    if proposal.guesses and not (proposal.columns or {}).get("label"):
        lines.append("Note: no column looks like a label; set one in params.yaml to fine-tune.")
    return "\n".join(lines)


def next_steps(proposal: Proposal, place: str, copied: int | None) -> str:
    """What to do once params.yaml is written."""
    folder = place if proposal.path.is_dir() else place.rpartition("/")[0]
    # A file by itself in the watched folder is kept by itself.
    kept = place if folder == WATCHED.as_posix() else folder
    lines = [f"params.yaml now reads {place}."]
    if copied is not None:
        lines.append(f"{copied} files were copied to {folder}.")
    lines += [
        "Look at the mapping under ingest, and correct it where it is wrong. Then:",
        "",
        "    fuseline check",
    ]
    if kept != WATCHED.as_posix():
        lines.append(f"    dvc add {kept}      # versions the data and keeps it out of git")
    lines.append("    make repro")
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
