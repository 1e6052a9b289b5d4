"""What a revision was evaluated to: figures by model, and the predictions they are of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.errors import ContractError
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
        left_out: why figures that are there are not shown: they are not what the stages wrote. By
            model, `prompt` and `stress`.
    """

    revision: Revision
    lock: Lock
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
        ContractError: it has none, or its `dvc.lock` cannot be read.
    """
    lock = _read_lock(revision)
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
    for stage in ("prompt", "stress"):
        path = f"metrics/{stage}.json"
        if lock.is_current(stage) and revision.read(path) is not None:
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


def _read_lock(revision: Revision) -> Lock:
    content = revision.read_yaml(LOCK_FILE)
    lock = Lock(content.get("stages", {}))
    try:
        lock.out("")
        for stage in lock.stages:
            lock.is_current(stage)
    except (AttributeError, KeyError, TypeError) as error:
        raise ContractError(
            f"{revision.name}: {LOCK_FILE}: not as DVC writes it ({error!r}). Make it"
            " anew by `dvc repro`."
        ) from None
    return lock


def _is_recorded(revision: Revision, lock: Lock, path: str) -> bool:
    """Whether a metrics file has the bytes that its stage wrote."""
    digest = hashlib.md5(revision.read(path) or b"", usedforsecurity=False).hexdigest()
    return lock.out(path) == digest
