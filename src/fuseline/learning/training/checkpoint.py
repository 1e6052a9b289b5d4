"""Checkpoints that are whole or not there: their checksums are written last.

A checkpoint is a folder: the trainer's own state as JSON, all else in one file, and the checksums
of both. One that lacks its optimizer or random state would resume without a word and end with
other weights, so only those whose every file has its recorded checksum are used.
"""

from __future__ import annotations

import json
import random
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.serialization import config
from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME

from fuseline.contracts import write_json
from fuseline.contracts.durable import settle
from fuseline.learning.objectives.base import Objective, Stateful

COMPLETE = "complete.json"
PARTS = "state.pt"
KEPT = 2
READ_BYTES = 1 << 20


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """By name, what training can move: parameters that are not frozen, each once, and buffers."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    moving = {
        name: value.detach() for name, value in model.named_parameters() if value.requires_grad
    }
    buffers = {name: value for name, value in model.state_dict().items() if name not in parameters}
    return moving | buffers


def objective_state(objective: Objective) -> dict[str, Tensor]:
    """What an objective remembers, if it remembers anything."""
    return objective.state_dict() if isinstance(objective, Stateful) else {}


def load_objective(objective: Objective, state: dict[str, Tensor]) -> None:
    """Give back to an objective what it remembered at the checkpoint."""
    if isinstance(objective, Stateful):
        objective.load_state_dict(state)


def random_state() -> dict[str, Any]:
    """The state of every global generator, in types that load without running code."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (kind, np.asarray(keys).tolist(), *rest),
        "torch": torch.get_rng_state(),
    }


def load_random_state(state: Mapping[str, Any]) -> None:
    """Set every global generator to a `random_state`."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])


def write_checkpoint(
    work: Path, parts: Mapping[str, Any], state: TrainerState, *, durable: bool
) -> None:
    """Write the checkpoint of the state's step; of older ones the newest stays.

    Args:
        work: folder of the checkpoints.
        parts: tensors and plain values, by name.
        state: the trainer's state, its history included.
        durable: wait until the disk holds it. A kill does no harm without: the system writes on.

    Raises:
        OSError: the disk is full. What was written has no checksums and is never used.
    """
    folder = _place_for(work, state.global_step)
    state.save_to_json(str(folder / TRAINER_STATE_NAME))
    checksums = {
        TRAINER_STATE_NAME: _checksum(folder / TRAINER_STATE_NAME),
        PARTS: _write(folder / PARTS, parts),
    }
    if durable:
        # By its checksums a torn one is known; without this a power cut could tear all there are.
        settle(folder)
    write_json(folder / COMPLETE, checksums)


def read_parts(checkpoint: Path) -> dict[str, Any]:
    """The parts of a whole checkpoint."""
    parts: dict[str, Any] = torch.load(checkpoint / PARTS, weights_only=True)
    return parts


def is_complete(checkpoint: Path) -> bool:
    """Whether every recorded file is there, with its recorded checksum."""
    try:
        recorded = json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
        return all(_checksum(checkpoint / name) == found for name, found in recorded.items())
    except (OSError, ValueError):
        return False


def latest_checkpoint(work: Path) -> Path | None:
    """The newest whole checkpoint of a work folder; torn ones are removed."""
    latest = None
    for path in _checkpoints(work):
        if is_complete(path):
            latest = path
        else:
            shutil.rmtree(path)
    return latest


def _checkpoints(work: Path) -> list[Path]:
    """Folders of checkpoints, whole or not, the oldest first."""
    return sorted(work.glob("checkpoint-*"), key=lambda path: int(path.name.rsplit("-", 1)[1]))


def _place_for(work: Path, step: int) -> Path:
    """A folder for the checkpoint of a step: that of the oldest one, once there are enough.

    To write over the pages of a file takes a quarter of the time that new ones take. Its checksums
    go first, so that it counts as torn until it is whole again.
    """
    folder = work / f"checkpoint-{step}"
    older = _checkpoints(work)
    if len(older) < KEPT:
        folder.mkdir(parents=True)
    else:
        (older[0] / COMPLETE).unlink()
        older[0].rename(folder)
    return folder


class _Checked:
    """A file that counts a checksum of what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.checksum = 0

    def write(self, content: bytes) -> int:
        self.checksum = zlib.crc32(content, self.checksum)
        try:
            return self.file.write(content)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.file.name) from error

    def flush(self) -> None:
        self.file.flush()


def _write(path: Path, parts: Mapping[str, Any]) -> int:
    """Write over a file, or a new one; return its checksum."""
    path.touch()
    with path.open("r+b") as file:
        checked = _Checked(file)
        # The archive's own checksums would cost as much again.
        with config.patch("save.compute_crc32", False):  # type: ignore[attr-defined]
            torch.save(dict(parts), cast(IO[bytes], checked))
        file.truncate()
    return checked.checksum


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while content := file.read(READ_BYTES):
            checksum = zlib.crc32(content, checksum)
    return checksum
