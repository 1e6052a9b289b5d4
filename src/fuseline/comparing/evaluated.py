"""What a revision was evaluated to: figures by model, and the predictions they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ContractError
from fuseline.metrics_file import joined
from fuseline.revisions import Revision

FOLDER = "metrics/evaluate"
LOCK_FILE = "dvc.lock"


@dataclass(frozen=True)
class Lock:
    """`dvc.lock` of a revision: which hash every stage read and wrote."""

    stages: Mapping[str, Any]

    def out(self, path: str) -> str | None:
        """Hash of an output; None where no stage wrote it."""
        return self._writers.get(path, (None, None))[1]

    def is_current(self, stage: str) -> bool:
        """Whether a stage read what the stages before it wrote last, and so for all before it.

        An experiment that ran up to one stage leaves the metrics of later ones as they were.
        """
        return stage in self.stages and all(
            written == entry["md5"] and self.is_current(writer)
            for entry in self.stages[stage].get("deps", [])
            for writer, written in [self._writers.get(entry["path"], (None, None))]
            if writer is not None
        )

    @property
    def _writers(self) -> dict[str, tuple[str, str]]:
        """Stage and hash by output."""
        return {
            entry["path"]: (name, entry["md5"])
            for name, stage in self.stages.items()
            for entry in stage.get("outs", [])
        }


@dataclass(frozen=True)
class Evaluated:
    """A revision's figures.

    Attributes:
        revision: whose.
        lock: its `dvc.lock`.
        models: content of `metrics/evaluate/<model>.json`, by model; only those that are of the
            models of this revision.
        prompt: content of `metrics/prompt.json`; None where the stage has not run.
        stress: the same of `metrics/stress.json`.
    """

    revision: Revision
    lock: Lock
    models: Mapping[str, dict[str, Any]]
    prompt: dict[str, Any] | None
    stress: dict[str, Any] | None

    @property
    def name(self) -> str:
        return self.revision.name


def read_evaluated(revision: Revision) -> Evaluated:
    """Read a revision's figures, leaving out those that are older than its models.

    Raises:
        ContractError: it has none.
    """
    lock = Lock((revision.read_yaml(LOCK_FILE) or {}).get("stages", {}))
    files = {Path(path).stem: path for path in revision.files(FOLDER) if path.endswith(".json")}
    if not files:
        raise ContractError(
            f"{revision.name}: has no {FOLDER}/*.json. Run `dvc repro` there and commit them."
        )
    current = {name: path for name, path in files.items() if lock.is_current(f"evaluate@{name}")}
    if not current:
        raise ContractError(
            f"{revision.name}: its {FOLDER}/*.json are older than its models, which were not"
            " evaluated. Apply it, run `dvc repro` and commit."
        )
    return Evaluated(
        revision,
        lock,
        {name: _object(revision, path) for name, path in sorted(current.items())},
        _if_current(revision, lock, "prompt"),
        _if_current(revision, lock, "stress"),
    )


def _if_current(revision: Revision, lock: Lock, stage: str) -> dict[str, Any] | None:
    path = f"metrics/{stage}.json"
    if not lock.is_current(stage) or revision.read(path) is None:
        return None
    return _object(revision, path)


def _object(revision: Revision, path: str) -> dict[str, Any]:
    content = revision.read_json(path)
    if not isinstance(content, dict):
        raise ContractError(f"{revision.name}: {path}: expected a JSON object.")
    return joined(content)
