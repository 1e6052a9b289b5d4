"""How rows go through a model: batches of one width, logits, probabilities."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fuseline.data.dataset import LABELS, MultimodalData
from fuseline.data.padding import padded_widths
from fuseline.pipeline.precision import Precision, autocast

Model = Any


def length_batches(data: MultimodalData, rows: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Cut `rows`, sorted by length, into batches that pad to one width each."""
    lengths = data.lengths[rows]
    order = np.argsort(lengths, kind="stable")
    widths = padded_widths(lengths[order])
    for part in np.split(rows[order], np.flatnonzero(np.diff(widths)) + 1):
        for start in range(0, len(part), batch_size):
            yield part[start : start + batch_size]


def with_labels_of(batch: dict[str, Tensor], keys: Collection[str]) -> dict[str, Tensor]:
    """The batch with no labels but those under `keys`: the decoder of a task without them computes
    the first token of each text alone."""
    return {name: v for name, v in batch.items() if not name.endswith(LABELS) or name in keys}


def predict_logits(
    model: Model, data: MultimodalData, batch_size: int, precision: Precision = "fp32"
) -> np.ndarray:
    """Logits (N, C) float32 of a model in evaluation mode, in the order of `data`.

    By default they are computed in float32 whatever the precision of training: it costs little
    on a test split, and a prediction must not hang on rounding.
    """
    parts, places = [], []
    for rows in length_batches(data, np.arange(len(data)), batch_size):
        with torch.inference_mode(), autocast(precision):
            parts.append(model(**data.batch(rows)).logits.float().numpy())
        places.append(rows)
    order = np.argsort(np.concatenate(places))
    return np.asarray(np.concatenate(parts)[order])
