"""Supervised fine-tuning of a task, plain or under attack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fuseline.dataset import MultimodalData, load_data
from fuseline.errors import ContractError
from fuseline.model import FuselineForClassification, FuselineProcessor
from fuseline.model.card import write_model_card
from fuseline.objectives.supervised import Supervised
from fuseline.params.base import BaseParams
from fuseline.params.finetune import FinetuneParams
from fuseline.precision import Precision, autocast, make_deterministic
from fuseline.registry import lookup
from fuseline.tasks import TASKS, Classification
from fuseline.training.freezing import apply_freezing
from fuseline.training.loop import Selection, train

History = list[dict[str, float]]
EVALUATION_BATCH = 256


def finetune(
    pretrained: Path,
    examples: Path,
    tokens: Path,
    features: Path,
    model_folder: Path,
    *,
    params: FinetuneParams,
    base: BaseParams,
    work: Path,
) -> tuple[dict[str, Any], History]:
    """Fine-tune the pre-trained model on labelled rows; the best epoch on the development split
    is saved.

    Returns:
        Metrics and the figures of every epoch.

    Raises:
        ContractError: fewer than two labels, or no labelled development rows.
    """
    make_deterministic(base.seed, base.num_threads)
    processor = FuselineProcessor.from_pretrained(pretrained)
    data = load_labelled(tokens, features, examples, processor, base)
    model = FuselineForClassification.from_pretrained(
        pretrained,
        num_labels=len(data.label_names),
        id2label=dict(enumerate(data.label_names)),
        label2id={name: index for index, name in enumerate(data.label_names)},
        classifier_dropout=params.classifier_dropout,
        task=params.task,
        freezing=params.freezing.model_dump(),
    )
    counts = apply_freezing(model, params.freezing)
    task = lookup(TASKS, params.task, where="finetune.task")(data.label_names)
    history = train(
        model,
        Supervised(task, params.modality_dropout, params.label_smoothing),
        data.select("train"),
        Development(task, data.select("dev"), base.precision),
        params=params.training,
        selection=Selection(task.selection_metric, greater_is_better=True),
        seed=base.seed,
        precision=base.precision,
        work=work,
    )
    model.save_pretrained(model_folder)
    processor.save_pretrained(model_folder)
    metrics = training_metrics(history, task.selection_metric) | counts
    write_model_card(model_folder, model.config, examples, metrics, params)
    return metrics, history


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
        logits = predict_logits(model, self.data, self.precision)
        predictions = logits.argmax(-1).numpy()
        labels = self.data.labels
        print("\n" + self.task.report(predictions, labels))
        loss = self.task.losses(logits, torch.from_numpy(labels)).mean().item()
        return self.task.metrics(predictions, labels) | {"loss": loss}


def predict_logits(model: Any, data: MultimodalData, precision: Precision) -> torch.Tensor:
    """Logits (N, C) of all rows, batched by length, in evaluation mode."""
    order = np.argsort(data.lengths, kind="stable")
    logits = torch.zeros(len(data), model.config.num_labels)
    for start in range(0, len(order), EVALUATION_BATCH):
        rows = order[start : start + EVALUATION_BATCH]
        with torch.inference_mode(), autocast(precision):
            logits[torch.from_numpy(rows)] = model(**data.batch(rows)).logits
    return logits


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
