"""Supervised fine-tuning, one task or several."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuseline.learning.model import FuselineForTasks, FuselineProcessor
from fuseline.learning.model.card import write_model_card
from fuseline.learning.objectives.supervised import Supervised
from fuseline.learning.tasks.labelled import build_tasks, learn_tasks, with_labels
from fuseline.learning.training.development import (
    load_rows,
    selection_of,
    splits_of,
    training_metrics,
)
from fuseline.learning.training.freezing import apply_freezing
from fuseline.learning.training.history import History
from fuseline.learning.training.loop import train
from fuseline.learning.training.lora import adapters
from fuseline.learning.training.probing import blend_probes, fit_probes
from fuseline.learning.training.words import occurring_words
from fuseline.params.base import BaseParams
from fuseline.params.finetune import FinetuneParams
from fuseline.pipeline.precision import make_deterministic


def finetune(
    pretrained: Path,
    examples: Path,
    tokens: Path,
    features: Path,
    model_folder: Path,
    *,
    interactions: Path | None = None,
    params: FinetuneParams,
    base: BaseParams,
    work: Path,
) -> tuple[dict[str, Any], History]:
    """Fine-tune the pre-trained model on labelled rows; the best epoch on the development split
    is saved.

    Args:
        interactions: table of events with the rows, for a task that learns from these.

    Returns:
        Metrics and the figures of every epoch.

    Raises:
        ConfigError: a target that is not there, or that its task cannot learn.
        ContractError: too little to learn, or no labelled development rows.
    """
    make_deterministic(base.seed, base.num_threads)
    processor = FuselineProcessor.from_pretrained(pretrained)
    rows, cells = load_rows(tokens, features, examples, processor, base)
    entries = learn_tasks(cells, params)
    data, tasks = with_labels(rows, cells, entries), build_tasks(entries)
    splits = splits_of(tasks, data, cells, interactions, base)
    with _new_decoders():
        model = FuselineForTasks.from_pretrained(
            pretrained,
            tasks=entries,
            classifier_dropout=params.classifier_dropout,
            freezing=params.freezing.model_dump(),
            probed=bool((data.splits == "train").sum() <= params.linear_probe_max_rows),
            key_mapping=_pretrained_heads(entries),
            **_class_names(data.label_names),
        )
    model.start_decoders()
    fit_probes(model, tasks, data.select("train"), base.seed)
    splits.begin(model)
    weights = [entry["weight"] for entry in entries]
    selection = selection_of(tasks[0], params.training.max_fall)
    with adapters(model, params.freezing, base.seed):
        counts = apply_freezing(model, params.freezing)
        with occurring_words(model, data):
            history = train(
                model,
                Supervised(
                    tasks,
                    weights,
                    params.modality_dropout,
                    params.label_smoothing,
                    params.unimodal_weight,
                ),
                splits.train,
                splits.development,
                params=params.training,
                selection=selection,
                seed=base.seed,
                precision=base.precision,
                work=work,
                draws=splits.draws,
            )
    share = blend_probes(model, tasks, data.select("dev"))
    chosen = {"probe_share": share} | splits.choose(model)
    model.save_pretrained(model_folder)
    processor.save_pretrained(model_folder)
    metrics = training_metrics("finetune", history, selection) | counts | chosen
    write_model_card(model_folder, model.config, examples, metrics, params)
    return metrics, history


@contextmanager
def _new_decoders() -> Iterator[None]:
    """Keep back Transformers' warning of a damaged checkpoint where a head's matrix that two layers
    share is in none: pre-training has no decoder."""

    def is_other(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not ("tied weights mapping" in message and " heads." in message)

    logger = logging.getLogger("transformers.modeling_utils")
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _pretrained_heads(entries: list[dict[str, Any]]) -> dict[str, str]:
    """Where the contrastive parameters of pre-training go on, if a task has a head for them."""
    return {
        f"^{name}": f"heads.{index}.{name}"
        for index, entry in enumerate(entries)
        if entry["head"]["kind"] == "contrastive"
        for name in ("contrastive_heads", "logit_scale")
    }


def _class_names(names: list[str]) -> dict[str, Any]:
    """The first task's classes, as Transformers' configurations spell them."""
    return (
        {
            "num_labels": len(names),
            "id2label": dict(enumerate(names)),
            "label2id": {name: index for index, name in enumerate(names)},
        }
        if names
        else {}
    )
