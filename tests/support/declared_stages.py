"""What `dvc.yaml` declares of every stage, as DVC itself resolves it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from dvc.repo import Repo


@dataclass(frozen=True)
class DeclaredStage:
    """One stage, or one cell of a matrix.

    Attributes:
        cell: DVC's name, such as `evaluate@finetuned`.
        name: the script's name, such as `evaluate`.
        command: what DVC runs.
        options: of the command, without dashes, to their values.
        params: keys of `params.yaml`.
        code: keys of `code.json`.
        deps: files and folders, from the repository's root.
        outs: the same, metrics and plots included, to whether DVC caches them.
    """

    cell: str
    name: str
    command: str
    options: dict[str, str]
    params: frozenset[str]
    code: frozenset[str]
    deps: frozenset[str]
    outs: dict[str, bool]


def declared_stages(root: Path) -> dict[str, DeclaredStage]:
    """Every stage of the repository at `root`, by cell."""
    with Repo(str(root)) as repo:
        return {stage.name: _declared(stage) for stage in repo.index.stages}


def _declared(stage) -> DeclaredStage:
    words = shlex.split(stage.cmd)
    assert words[:2] == ["python", "-m"], stage.cmd
    keys = {dep.def_path: frozenset(dep.params) for dep in stage.deps if hasattr(dep, "params")}
    return DeclaredStage(
        cell=stage.name,
        name=words[2].removeprefix("stages."),
        command=stage.cmd,
        options={
            word.removeprefix("--"): value
            for word, value in zip(words[3::2], words[4::2], strict=True)
        },
        params=keys.get("params.yaml", frozenset()),
        code=keys.get("code.json", frozenset()),
        deps=frozenset(dep.def_path for dep in stage.deps if dep.def_path not in keys),
        outs={out.def_path: bool(out.use_cache) for out in stage.outs},
    )
