"""The proposal as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuseline.workbench.scaffold.bring import WATCHED
from fuseline.workbench.scaffold.proposal import Proposal

_HEADING = ("column", "is for", "because", "for example")
_LEFT_OUT = "-"
_NAME_CHARACTERS = 40


def table(proposal: Proposal) -> str:
    """Source, modalities, and a line for each column: its field, the reason and three values."""
    lines = [
        f"{proposal.path}: source {proposal.source}, modalities {', '.join(proposal.modalities)}"
    ]
    if proposal.guesses:
        rows = [
            (
                _short(guess.column),
                guess.field or _LEFT_OUT,
                guess.reason,
                " | ".join(guess.samples),
            )
            for guess in proposal.guesses
        ]
        lines += ["", *_aligned([_HEADING, *rows])]
        left_out = [guess for guess in proposal.guesses if not guess.field]
        if left_out:
            lines += ["", "Left out, and what would use it:"]
            lines += [
                f"  {_short(guess.column)}: {guess.reason}; {guess.instead or 'as you say'}"
                for guess in left_out
            ]
    lines += ["", f"To learn: {_learnt(proposal)}."]
    lines += [f"Note: {note}" for note in proposal.notes]
    return "\n".join(lines)


def _learnt(proposal: Proposal) -> str:
    task = proposal.task
    if task is None:
        return "nothing was found"
    if task["target"] is None:
        return "retrieval, which row belongs to which, for want of a label"
    column = (proposal.columns or {}).get("label") if task["target"] == "label" else task["target"]
    return f"{task['kind']} of {column}" if column else f"{task['kind']} of the folders' names"


def _short(name: str) -> str:
    one_line = " ".join(name.split()) or "(no name)"
    return one_line if len(one_line) <= _NAME_CHARACTERS else f"{one_line[:_NAME_CHARACTERS]}…"


def next_steps(proposal: Proposal, place: str, copied: int | None, kept: Path | None) -> str:
    """What to do once params.yaml is written."""
    folder = place if proposal.path.is_dir() else place.rpartition("/")[0]
    # A file by itself in the watched folder is kept by itself.
    versioned = place if folder == WATCHED.as_posix() else folder
    lines = [f"params.yaml now reads {place}."]
    lines.append(kept_as(kept))
    if copied is not None:
        lines.append(f"{copied} files were copied to {folder}.")
    lines += [
        "Look at the mapping under ingest, and correct it where it is wrong. Then:",
        "",
        "    fuseline check",
    ]
    if versioned != WATCHED.as_posix():
        lines.append(f"    dvc add {versioned}      # versions the data and keeps it out of git")
    lines.append("    make repro")
    return "\n".join(lines)


def kept_as(kept: Path | None) -> str:
    """Where the params before are, None where nothing changed."""
    return f"The file before is kept as {kept}." if kept else "It is as it was before."


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
