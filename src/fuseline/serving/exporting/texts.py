"""A decoder's graph in the place of the head that it was made of.

Shapes: B rows, L' tokens of the batch's longest text, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import LABELS, NO_LABEL, Batch
from fuseline.learning.model.control_tokens import Asked
from fuseline.serving.contract import ExportedTask
from fuseline.serving.writing import TextWriter


class GraphDecoder:
    """Logits and texts of one task.

    Args:
        task: as the contract has it.
        writer: of its graph.
        first: whether it is the model's first task.
    """

    def __init__(self, task: ExportedTask, writer: TextWriter, *, first: bool) -> None:
        self.task, self.writer = task, writer
        # As `labelled.py` of the tasks names them.
        self.key = LABELS if first else f"{task.name}_{LABELS}"
        self.controls_key = f"{task.name}_controls"

    def memory(self, outputs: Mapping[str, Tensor]) -> list[np.ndarray]:
        """What texts are written from, among the outputs of the model's graph."""
        names = [self.task.output, *self.writer.facts.memory]
        return [outputs[name].numpy() for name in names]

    def logits(self, outputs: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """(B, L', V) of each token after those before it in the labels; of the first token alone
        without any."""
        memory = self.memory(outputs)
        start = self.writer.start({}, len(memory[0]))
        if self.controls_key in batch:
            # Numbers count from the token that leaves the control open.
            start[:, :-1] += batch[self.controls_key].numpy()
        before, step = self._before(batch, len(start)), self.writer.steps(memory)
        parts = [start, *np.split(before, before.shape[1], axis=1)] if before.size else [start]
        return torch.from_numpy(np.stack([step(part, None) for part in parts], axis=1))

    def generate(self, outputs: Mapping[str, Tensor], controls: Asked) -> Tensor:
        """Token ids (B, L)."""
        memory = self.memory(outputs)
        rows = len(memory[0])
        asked = {
            name: [value] * rows if value is None or isinstance(value, str) else value
            for name, value in controls.items()
        }
        return torch.from_numpy(self.writer.tokens(self.writer.start(asked, rows), memory))

    def _before(self, batch: Batch, rows: int) -> np.ndarray:
        """(B, L' - 1) labels but the last; padding follows a shorter text."""
        if self.key not in batch:
            return np.zeros((rows, 0), dtype=np.int64)
        labels = batch[self.key].numpy()
        longest = max(1, int((labels != NO_LABEL).sum(1).max()))
        before = labels[:, : longest - 1]
        return np.where(before == NO_LABEL, self.writer.limits.pad, before)
