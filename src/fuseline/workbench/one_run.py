"""Which metrics files are not of the last run: one that stopped half way leaves the others as they
were."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuseline.pipeline.lock_file import LockedStage, hash_of, overtaken_by, read_lock, writer_of
from fuseline.pipeline.stage import LOCK_FILE

REMEDY = "Run `dvc repro`."


@dataclass
class OtherRuns:
    """The files, and sentences that say of which run they are."""

    files: set[Path] = field(default_factory=set)
    sentences: list[str] = field(default_factory=list)


def read_other_runs(metrics: Path) -> OtherRuns:
    """Hold every metrics file below a folder to the `dvc.lock` beside it; without one nothing can
    be said.

    Raises:
        ConfigError: `dvc.lock` cannot be read.
    """
    root = metrics.parent
    found = OtherRuns()
    try:
        lock = read_lock((root / LOCK_FILE).read_bytes(), str(LOCK_FILE))
    except FileNotFoundError:
        return found
    edited: list[str] = []
    by_cause: dict[str, list[str]] = {}
    for path in sorted(metrics.rglob("*.json")):
        name = path.relative_to(root).as_posix()
        stage = writer_of(lock, name)
        if stage is None or _hash(path) != hash_of(lock, name):
            edited.append(name)
        elif cause := overtaken_by(lock, stage):
            by_cause.setdefault(cause, []).append(stage)
        else:
            continue
        found.files.add(path)
    found.sentences = [*_overtaken(lock, by_cause), *_edited(edited)]
    return found


def _overtaken(lock: Mapping[str, LockedStage], by_cause: Mapping[str, list[str]]) -> list[str]:
    """The stages that others have overtaken, in the order of the lock file."""
    order = list(lock)
    return [
        f"NOT OF ONE RUN: `{cause}` has run since these did: "
        f"{', '.join(sorted(stages, key=order.index))}. Their figures below are of other rows or"
        f" models. {REMEDY}"
        for cause, stages in by_cause.items()
    ]


def _edited(names: list[str]) -> list[str]:
    if not names:
        return []
    return [f"NOT OF ONE RUN: {', '.join(names)}: not what {LOCK_FILE} records. {REMEDY}"]


def _hash(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
