"""What a revision was evaluated to: figures by model, and the predictions they are of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ContractError
from fuseline.pipeline.lock_file import LockedStage, hash_of, is_current, read_lock
from fuseline.pipeline.revisions import Revision
from fuseline.pipeline.stage import LOCK_FILE

FOLDER = "metrics/evaluate"


@dataclass(frozen=True)
class Evaluated:
    """A revision's figures.

    Attributes:
        revision: whose.
        lock: stages of its `dvc.lock`.
        models: content of `metrics/evaluate/<model>.json`, by model; only those that are of the
            models of this revision.
        prompt: content of `metrics/prompt.json`; None where the stage has not run.
        stress: the same of `metrics/stress.json`.
        left_out: why figures that are there are not shown: they are not what the stages wrote. By
            model, `prompt` and `stress`.
    """

    revision: Revision
    lock: Mapping[str, LockedStage]
    models: Mapping[str, dict[str, Any]]
    prompt: dict[str, Any] | None
    stress: dict[str, Any] | None
    left_out: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.revision.name


def read_evaluated(revision: Revision) -> Evaluated:
    """Read a revision's figures, leaving out those that are older than its models.

    Raises:
        ConfigError: its `dvc.lock` cannot be read.
        ContractError: it has no figures.
    """
    lock = read_lock(revision.read(LOCK_FILE.name) or b"{}", f"{revision.name}: {LOCK_FILE}")
    files = {Path(path).stem: path for path in revision.files(FOLDER) if path.endswith(".json")}
    if not files:
        raise ContractError(
            f"{revision.name}: has no {FOLDER}/*.json. Run `dvc repro` there and commit them."
        )
    current = {name: path for name, path in files.items() if is_current(lock, f"evaluate@{name}")}
    if not current:
        raise ContractError(
            f"{revision.name}: its {FOLDER}/*.json are older than its models, which were not"
            " evaluated. Apply it, run `dvc repro` and commit."
        )
    for stage in ("prompt", "stress"):
        path = f"metrics/{stage}.json"
        if is_current(lock, stage) and revision.read(path) is not None:
            current[stage] = path
    left_out = {
        name: f"{path} is not what dvc.lock records: run `dvc repro`"
        for name, path in current.items()
        if not _is_recorded(revision, lock, path)
    }
    if not files.keys() & current.keys() - left_out.keys():
        raise ContractError(f"{revision.name}: {'; '.join(left_out.values())}.")
    figures = {
        name: revision.read_metrics(path)
        for name, path in sorted(current.items())
        if name not in left_out
    }
    prompt, stress = figures.pop("prompt", None), figures.pop("stress", None)
    return Evaluated(revision, lock, figures, prompt, stress, left_out)


def _is_recorded(revision: Revision, lock: Mapping[str, LockedStage], path: str) -> bool:
    """Whether a metrics file has the bytes that its stage wrote."""
    digest = hashlib.md5(revision.read(path) or b"", usedforsecurity=False).hexdigest()
    return hash_of(lock, path) == digest
