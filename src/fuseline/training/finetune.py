"""Supervised fine-tuning of a task, plain or under attack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fuseline.model import FuselineForClassification, FuselineProcessor
from fuseline.model.card import write_model_card
from fuseline.objectives.supervised import Supervised
from fuseline.params.base import BaseParams
from fuseline.params.finetune import FinetuneParams
from fuseline.precision import make_deterministic
from fuseline.registry import lookup
from fuseline.tasks import TASKS
from fuseline.training.development import (
    Development,
    History,
    load_labelled,
    training_metrics,
)
from fuseline.training.freezing import apply_freezing
from fuseline.training.loop import Selection, train
from fuseline.training.lora import adapters


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
    task = lookup(TASKS, params.task, where="finetune.task")(data.label_names)
    with adapters(model, params.freezing, base.seed):
        counts = apply_freezing(model, params.freezing)
        history = train(
            model,
            Supervised(
                task, params.modality_dropout, params.label_smoothing, params.unimodal_weight
            ),
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
