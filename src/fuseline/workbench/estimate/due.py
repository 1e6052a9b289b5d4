"""What the next `dvc repro` runs, as DVC sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ConfigError
from fuseline.pipeline.provenance import stage_hashes
from fuseline.pipeline.stage import CODE_FILE, SOURCES, STAGES

CODE = "code"


@dataclass(frozen=True)
class Due:
    """Stages by DVC's names, matrix cells apart, without the one that hashes code.

    Attributes:
        stages: all, in the order of `dvc.yaml`.
        will: those that run: params, code or inputs of theirs changed, or outputs are not here.
        may: those behind them, which run where what they read comes out another.
    """

    stages: tuple[str, ...]
    will: frozenset[str]
    may: frozenset[str]


def find_due(root: Path) -> Due:
    """Ask DVC, which takes a second or two; changed code is hashed here, as the stage `code` would.

    Raises:
        ConfigError: DVC cannot tell, as in a folder that is no repository of its.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            named = {stage.name: stage for stage in repo.index.stages if _is_named(stage)}
            changed = set(repo.status())
            if CODE in changed:
                changed |= _of_changed_code(root, list(named))
            stages = tuple(name for name in named if name != CODE)
            will = frozenset(stages) & changed
            may = _behind(repo.index.graph, [named[name] for name in will]) & {*stages}
    except DvcException as error:
        raise ConfigError(f"DVC cannot tell what is to run: {error}") from error
    return Due(stages, will, may - will)


def _is_named(stage: Any) -> bool:
    """Not of those of `.dvc` files, which have no commands."""
    return getattr(stage, "name", None) is not None


def _behind(graph: Any, stages: list[Any]) -> frozenset[str]:
    """Names of the stages that read what these write, however far behind them."""
    from dvc.repo.graph import get_subgraph_of_nodes

    if not stages:
        return frozenset()
    behind = get_subgraph_of_nodes(graph, stages, downstream=True)
    return frozenset(stage.name for stage in behind if _is_named(stage))


def _of_changed_code(root: Path, names: list[str]) -> set[str]:
    """Stages whose code is not what `code.json` has a hash of."""
    now = stage_hashes(root / SOURCES, root / STAGES)
    try:
        then = json.loads((root / CODE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        then = {}
    return {
        name
        for name in names
        for script in [name.partition("@")[0]]
        if script in now and now[script] != then.get(script)
    }
