"""How long each stage took when it ran last: for people; no stage reads it, no output holds it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fuseline.contracts import write_json

FILE = "seconds.json"


@dataclass(frozen=True)
class LastRun:
    """One run of a stage, and what its time hung on.

    Attributes:
        seconds: from the start of its process.
        params: by key what the stage read of the params: sections, or dotted keys.
        sizes: bytes of its inputs, by path.
        whole: whether it did all of its work, and did not go on with that of a killed run.
    """

    seconds: float
    params: dict[str, Any]
    sizes: dict[str, int]
    whole: bool


def note(folder: Path, stage: str, run: LastRun) -> None:
    """Keep how long a stage took."""
    known = read(folder) | {stage: run}
    write_json(folder / FILE, {name: asdict(one) for name, one in known.items()})


def read(folder: Path) -> dict[str, LastRun]:
    """Last runs by stage, matrix cell included; none where nothing was kept, or nothing that can be
    read."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {str(stage): _last_run(found) for stage, found in content.items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return {}


def _last_run(found: dict[str, Any]) -> LastRun:
    sizes = {str(path): int(size) for path, size in found["sizes"].items()}
    return LastRun(float(found["seconds"]), dict(found["params"]), sizes, bool(found["whole"]))
