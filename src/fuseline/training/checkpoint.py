"""Checkpoints that are whole or not there: a hash manifest is written last.

A checkpoint that lacks its optimizer or random state would resume without a word and end with
other weights, so only those whose every file has its recorded hash are used.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from fuseline.contracts import hash_file, write_json
from fuseline.objectives.base import Objective, Stateful

COMPLETE = "complete.json"
OBJECTIVE = "objective.safetensors"


def save_objective(checkpoint: Path, objective: Objective) -> None:
    """Write what the objective remembers, if it remembers anything."""
    state = objective.state_dict() if isinstance(objective, Stateful) else {}
    if state:
        save_file(state, checkpoint / OBJECTIVE)


def load_objective(checkpoint: Path, objective: Objective) -> None:
    """Give back to an objective what it remembered at the checkpoint."""
    if isinstance(objective, Stateful):
        path = checkpoint / OBJECTIVE
        objective.load_state_dict(load_file(path) if path.exists() else {})


def mark_complete(checkpoint: Path) -> None:
    """Record the hash of every file of a checkpoint."""
    files = sorted(path for path in checkpoint.iterdir() if path.name != COMPLETE)
    write_json(checkpoint / COMPLETE, {path.name: hash_file(path) for path in files})


def is_complete(checkpoint: Path) -> bool:
    """Whether every recorded file is there, with its recorded hash."""
    try:
        recorded = json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
        return all(hash_file(checkpoint / name) == sha for name, sha in recorded.items())
    except (OSError, ValueError):
        return False


def latest_checkpoint(work: Path) -> Path | None:
    """The newest whole checkpoint of a work folder; torn ones are removed."""
    latest: tuple[int, Path] | None = None
    for path in work.glob("checkpoint-*"):
        if not is_complete(path):
            shutil.rmtree(path)
            continue
        step = int(path.name.rsplit("-", 1)[1])
        latest = max(latest, (step, path)) if latest else (step, path)
    return latest[1] if latest else None
