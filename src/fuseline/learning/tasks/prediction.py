"""Plain forward passes over many rows, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fuseline.data.dataset import MultimodalData
from fuseline.learning.model.passes import Model, length_batches, with_labels_of
from fuseline.learning.tasks.base import Task
from fuseline.pipeline.precision import Precision, autocast


@dataclass(frozen=True)
class Predicted:
    """What one task makes of the N rows that have a label of it: `outputs` (N, ...), `losses` (N,),
    `right` (N,) bool."""

    data: MultimodalData
    outputs: np.ndarray
    losses: np.ndarray
    right: np.ndarray


def predict(
    model: Model,
    tasks: Sequence[Task],
    data: MultimodalData,
    batch_size: int,
    precision: Precision = "fp32",
) -> list[Predicted]:
    """Outputs of a model in evaluation mode for its first tasks, each for its own rows in the order
    of `data`.

    By default they are computed in float32 whatever the precision of training: it costs little
    on a test split, and a prediction must not hang on rounding.
    """
    parts: list[list[tuple[np.ndarray, ...]]] = [[] for _ in tasks]
    places, keys = [], {task.key for task in tasks}
    for rows in length_batches(data, np.arange(len(data)), batch_size):
        batch = with_labels_of(data.batch(rows), keys)
        with torch.inference_mode():
            with autocast(precision):
                by_task = model(**batch).by_task
            for task, logits, found in zip(tasks, by_task, parts, strict=False):
                values = (task.outputs(logits, batch), task.losses(logits, batch))
                found.append(tuple(v.numpy() for v in (*values, task.right(logits, batch))))
        places.append(rows)
    order = np.argsort(np.concatenate(places))
    return [_own(task, data, found, order) for task, found in zip(tasks, parts, strict=True)]


def _own(
    task: Task, data: MultimodalData, parts: list[tuple[np.ndarray, ...]], order: np.ndarray
) -> Predicted:
    own = task.own_rows(data)
    columns = (np.concatenate(column)[order][own] for column in zip(*parts, strict=True))
    return Predicted(data.take(own), *columns)
