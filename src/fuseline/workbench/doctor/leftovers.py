"""What stopped runs left behind, and who else is at work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from fuseline.pipeline.locks import is_held
from fuseline.pipeline.stage import FINISHED, WORK_FOLDER
from fuseline.workbench.doctor.finding import Finding, Level, size


def checkpoints(root: Path) -> Iterator[Finding]:
    """Progress of stages that did not end."""
    found: dict[str, int] = {}
    working = []
    for family in sorted((root / WORK_FOLDER).glob("*/")):
        # What a stage leaves when it finishes is removed by the next stage that starts.
        works = [work for work in family.glob("*/") if not (work / FINISHED).exists()]
        files = [path for work in works for path in work.rglob("*") if path.is_file()]
        if is_held(family / "lock"):
            working.append(family.name)
        elif files:
            found[family.name] = sum(path.stat().st_size for path in files)
    said = [f"{', '.join(working)} at work"] if working else []
    if not found:
        yield Finding(Level.OK, "checkpoints", ", ".join(["none left", *said]))
        return
    stages = ", ".join(f"{name} ({size(total)})" for name, total in found.items())
    remedy = (
        "The next dvc repro goes on with those of the same params, code and inputs. To remove"
        f" them: rm -r {' '.join(f'{WORK_FOLDER}/{name}' for name in found)}"
    )
    yield Finding(
        Level.OK, "checkpoints", "; ".join([f"of stopped stages: {stages}", *said]), remedy
    )


def locks(root: Path) -> Iterator[Finding]:
    """Whether another `dvc` is at work here, or one that was killed still seems to be."""
    folder = root / ".dvc" / "tmp"
    if is_held(folder / "lock"):
        remedy = "Wait for it, or stop it. Locks of a dvc that was killed go by themselves."
        yield Finding(Level.WARNING, "locks", "another dvc is at work here", remedy)
        return
    path = folder / "rwlock"
    try:
        holders = list(_holders(json.loads(path.read_text(encoding="utf-8") or "{}")))
    except FileNotFoundError:
        holders = []
    except (ValueError, KeyError, TypeError, AttributeError):
        found = f"{path.relative_to(root)} is not readable, and stops every dvc"
        yield Finding(Level.FATAL, "locks", found, f"rm {path.relative_to(root)}")
        return
    yield _judged(holders, path.relative_to(root))


def _judged(holders: list[dict[str, Any]], path: Path) -> Finding:
    """What the holders of DVC's locks on paths mean."""
    living = {int(one["pid"]) for one in holders if psutil.pid_exists(int(one["pid"]))}
    others = sorted(pid for pid in living if not _is_dvc(pid))
    if others:
        found = f"{path} holds off every dvc for process {others[0]}, which does not look like one"
        return Finding(Level.WARNING, "locks", found, f"If it is none: rm {path}")
    if living:
        found = f"another dvc is at work here: process {min(living)}"
        return Finding(Level.WARNING, "locks", found, "Wait for it, or stop it.")
    if holders:
        return Finding(Level.OK, "locks", f"a dvc that was killed left some; {path} clears itself")
    return Finding(Level.OK, "locks", "none held")


def _holders(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Processes that DVC's file of locks names: one writer or several readers a path."""
    yield from content.get("write", {}).values()
    for readers in content.get("read", {}).values():
        yield from readers


def _is_dvc(pid: int) -> bool:
    try:
        return "dvc" in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return True
