"""How long each stage took when it ran last: for people; no stage reads it, no output holds it."""

from __future__ import annotations

import json
from pathlib import Path

from fuseline.contracts import write_json

FILE = "seconds.json"


def note(folder: Path, stage: str, seconds: float) -> None:
    """Keep how long a stage took."""
    write_json(folder / FILE, read(folder) | {stage: round(seconds, 1)})


def read(folder: Path) -> dict[str, float]:
    """Seconds by stage, matrix cell included; none where nothing was kept, or nothing that can be
    read."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {str(stage): float(seconds) for stage, seconds in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def told(folder: Path) -> str:
    """A line for the terminal, the longest first; empty where nothing is known."""
    known = read(folder)
    if not known:
        return ""
    longest = sorted(known.items(), key=lambda item: -item[1])
    each = ", ".join(f"{stage} {seconds:.0f}" for stage, seconds in longest)
    return f"seconds of each stage's last run: {each}; {sum(known.values()):.0f} in all"
