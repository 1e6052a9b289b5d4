"""What the supervised stages share: labelled rows, and figures of the development split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from fuseline.dataset import MultimodalData, load_data
from fuseline.errors import ContractError
from fuseline.model import FuselineProcessor
from fuseline.model.prediction import predict_logits
from fuseline.params.base import BaseParams
from fuseline.precision import Precision
from fuseline.tasks import Classification

History = list[dict[str, float]]
EVALUATION_BATCH = 256


def load_labelled(
    tokens: Path,
    features: Path,
    examples: Path,
    processor: FuselineProcessor,
    base: BaseParams,
    label_names: list[str] | None = None,
) -> MultimodalData:
    """Rows with a label.

    Raises:
        ContractError: fewer than two labels, or a training or development split without rows.
    """
    data = load_data(
        tokens,
        features,
        base.modalities,
        pad_token_id=processor.tokenizer.pad_token_id,
        examples=examples,
        label_names=label_names,
    ).labelled()
    if len(data.label_names) < 2:
        raise ContractError(
            f"{examples}: expected at least two labels to tell apart, found"
            f" {len(data.label_names)}. Map the label column in `ingest.manifest.columns.label`."
        )
    for split in ("train", "dev"):
        if len(data.select(split)) == 0:
            raise ContractError(
                f"{examples}: the {split} split has no labelled rows."
                f" Raise `ingest.split.{split}` or add rows."
            )
    return data


class Development:
    """Development metrics of a task, with its report printed after each epoch."""

    def __init__(self, task: Classification, data: MultimodalData, precision: Precision) -> None:
        self.task = task
        self.data = data
        self.precision = precision

    def __call__(self, model: Any) -> dict[str, float]:
        logits = predict_logits(model, self.data, EVALUATION_BATCH, self.precision)
        predictions = logits.argmax(-1)
        labels = self.data.labels
        print("\n" + self.task.report(predictions, labels))
        losses = self.task.losses(torch.from_numpy(logits), torch.from_numpy(labels))
        return self.task.metrics(predictions, labels) | {"loss": losses.mean().item()}


def training_metrics(history: History, metric: str) -> dict[str, Any]:
    """The best epoch's figures, and passes of the whole run."""
    best = max(history, key=lambda figures: figures[f"eval_{metric}"])
    forward = sum(figures["train_forward_passes"] for figures in history)
    backward = sum(figures["train_backward_passes"] for figures in history)
    return {
        "best_epoch": int(best["epoch"]),
        "epochs": len(history),
        "dev": {
            name: best[f"eval_{name}"]
            for name in ("accuracy", "macro_f1", "loss", "robust_accuracy")
            if f"eval_{name}" in best
        },
        "train": {"loss": best["train_loss"], "accuracy": best["train_accuracy"]},
        "forward_passes": int(forward),
        "backward_passes": int(backward),
    }
