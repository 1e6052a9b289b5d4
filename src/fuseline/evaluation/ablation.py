"""What each modality contributes: scores with one alone, and with modalities of other rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fuseline.dataset import MultimodalData
from fuseline.evaluation.metrics import scores
from fuseline.model.prediction import Model, predict_logits

SINGLE = ("text", "image")


def only(data: MultimodalData, modality: str) -> MultimodalData:
    """The same rows with every other modality absent."""
    return replace(
        data,
        text_mask=data.text_mask & (modality == "text"),
        feature_mask={name: mask & (name == modality) for name, mask in data.feature_mask.items()},
    )


def shuffle(data: MultimodalData, modalities: list[str], seed: int) -> MultimodalData:
    """The same rows, with `modalities` taken, each as a whole, from another row."""
    other = other_rows(len(data), seed)
    text = "text" in modalities
    return replace(
        data,
        input_ids=[data.input_ids[row] for row in other] if text else data.input_ids,
        text_mask=data.text_mask[other] if text else data.text_mask,
        features={
            name: values[other] if name in modalities else values
            for name, values in data.features.items()
        },
        feature_mask={
            name: mask[other] if name in modalities else mask
            for name, mask in data.feature_mask.items()
        },
    )


def other_rows(num_rows: int, seed: int) -> np.ndarray:
    """For each row another one: a random single cycle, which has no fixed point if N > 1."""
    cycle = np.random.default_rng(seed).permutation(num_rows)
    other = np.empty(num_rows, dtype=np.int64)
    other[cycle] = np.roll(cycle, 1)
    return other


def modality_ablation(
    model: Model, data: MultimodalData, modalities: list[str], *, batch_size: int, seed: int
) -> dict[str, Any]:
    """Scores of the model with parts of its input gone or mismatched.

    Returns:
        `text_only` and `image_only`; `shuffled`, where the first modality stays and each other
        one comes from another row, with `by_modality`, where that one alone does. All hold
        `accuracy` and `macro_f1`; a modality that is not configured leaves its key in place.
    """

    def score(changed: MultimodalData) -> dict[str, float]:
        predictions = predict_logits(model, changed, batch_size).argmax(-1)
        return scores(data.labels, predictions, len(data.label_names))

    mismatched = {name: score(shuffle(data, [name], seed)) for name in SINGLE}
    return {
        **{f"{name}_only": score(only(data, name)) for name in SINGLE},
        "shuffled": {**score(shuffle(data, modalities[1:], seed)), "by_modality": mismatched},
    }
