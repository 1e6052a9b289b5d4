"""How far a stage that runs elsewhere has come, read from its checkpoints without loading any."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As `checkpoint.py` and the library call them; importing either would load torch.
COMPLETE = "complete.json"
STATE = "trainer_state.json"
DEVELOPMENT = "eval_"


@dataclass(frozen=True)
class Progress:
    """What the newest whole checkpoint says.

    Attributes:
        work: the run's folder of checkpoints.
        epochs: development figures by epoch, from 1.
    """

    work: Path
    epochs: dict[int, dict[str, float]]


def progress_since(family: Path, since_ns: int) -> Progress | None:
    """Development figures of the run that writes below a stage's folder of checkpoints.

    Stages hold a lock on that folder, so that whatever is written there while a run lasts is its.

    Args:
        family: `.checkpoints/<stage>`, with one folder per fingerprint.
        since_ns: when the run began, in nanoseconds as file times are; older checkpoints are
            another's, or of the run's own past, which newer ones repeat.

    Returns:
        None until the first whole checkpoint, and where it went away while it was read.
    """
    marks: list[tuple[int, Path]] = []
    for mark in family.glob(f"*/checkpoint-*/{COMPLETE}"):
        try:
            marks.append((mark.stat().st_mtime_ns, mark))
        except FileNotFoundError:
            continue
    if not marks or max(marks)[0] < since_ns:
        return None
    written, mark = max(marks)
    try:
        state = json.loads((mark.parent / STATE).read_text(encoding="utf-8"))
        # It is written last and removed first, so what was read beside it is whole.
        if mark.stat().st_mtime_ns != written:
            return None
    except (OSError, ValueError):
        return None
    return Progress(mark.parent.parent, _by_epoch(state["log_history"]))


def _by_epoch(entries: list[dict[str, Any]]) -> dict[int, dict[str, float]]:
    return {
        round(entry["epoch"]): {
            name.removeprefix(DEVELOPMENT): value
            for name, value in entry.items()
            if name.startswith(DEVELOPMENT)
        }
        for entry in entries
        if any(name.startswith(DEVELOPMENT) for name in entry)
    }
