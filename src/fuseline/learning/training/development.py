"""What the supervised stages share: labelled rows, and figures of the development split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fuseline.data.dataset import MultimodalData, load_data
from fuseline.learning.model import FuselineProcessor
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.labelled import Examples, no_labelled_rows
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.training.batches import TrainingRows
from fuseline.learning.training.history import History
from fuseline.learning.training.loop import Selection
from fuseline.learning.training.recommending import (
    ListDevelopment,
    development_events,
    read_events,
    training_events,
)
from fuseline.learning.training.remarks import told_remarks
from fuseline.params.base import BaseParams
from fuseline.pipeline.precision import Precision

EVALUATION_BATCH = 256


def load_rows(
    tokens: Path, features: Path, examples: Path, processor: FuselineProcessor, base: BaseParams
) -> tuple[MultimodalData, Examples]:
    """All rows, and the cells that tasks learn from."""
    tokenizer = processor.tokenizer
    data = load_data(tokens, features, base.modalities, pad_token_id=tokenizer.pad_token_id)
    return data, Examples(examples, data, tokenizer)


def check_splits(data: MultimodalData, tasks: Sequence[Task], examples: Examples) -> None:
    """Make sure that there is something to learn for every task, and to pick an epoch by.

    Raises:
        ContractError: a training split without labels of a task, or a development split without
            any of the first.
    """
    needed = [("train", task) for task in tasks] + [("dev", tasks[0])]
    for split, task in needed:
        if not len(task.own_rows(data.select(split))):
            raise no_labelled_rows(examples, split, task.name)


def draws_of(tasks: Sequence[Task], data: MultimodalData) -> np.ndarray | None:
    """(N,) how often training rows come, as the first task that cares has it."""
    by_task = (task.draws(data.labels_of(task.key)) for task in tasks)
    return next((draws for draws in by_task if draws is not None), None)


class Development:
    """Development metrics of the tasks, with the first one's report printed after each epoch.

    Those of further tasks bear their names in front.
    """

    def __init__(self, tasks: Sequence[Task], data: MultimodalData, precision: Precision) -> None:
        self.tasks = tasks
        self.data = data
        self.precision = precision

    def __call__(self, model: Any) -> dict[str, float]:
        found = predict(model, self.tasks, self.data, EVALUATION_BATCH, self.precision)
        print("\n" + self.tasks[0].report(found[0].outputs, found[0].data))
        first, *others = [
            task.scores(one.outputs, one.data)
            | {"loss": float(one.losses.mean()) if len(one.data) else 0.0}
            for task, one in zip(self.tasks, found, strict=True)
        ]
        further = {
            f"{task.name}_{name}": value
            for task, scores in zip(self.tasks[1:], others, strict=True)
            for name, value in scores.items()
        }
        # A further task's name may make its figure's name one of the first's.
        return further | first | {"right": float(found[0].right.mean())}


@dataclass(frozen=True)
class Splits:
    """What is trained on, and what epochs are picked by.

    Attributes:
        train: rows to train on.
        draws: (N,) how often they come; None where each comes once.
        dev: rows that are tried under attack.
        development: figures of the development split.
    """

    train: TrainingRows
    draws: np.ndarray | None
    dev: TrainingRows
    development: Development | ListDevelopment

    def begin(self, model: Any) -> None:
        """Show a model the rows before its first training, where it keeps anything of them."""
        if isinstance(self.development, ListDevelopment):
            self.development.begin(model)

    def choose(self, model: Any) -> dict[str, Any]:
        """What the development split chooses of a trained model, if anything; what came of it."""
        if not isinstance(self.development, ListDevelopment):
            return {}
        return self.development.choose(model)


def splits_of(
    tasks: Sequence[Task],
    data: MultimodalData,
    cells: Examples,
    interactions: Path | None,
    base: BaseParams,
    attacked: MultimodalData | None = None,
) -> Splits:
    """The splits for some tasks: of the rows, or where people's events are learnt, of these.

    Args:
        tasks: the first one picks the epoch.
        data: labelled rows.
        cells: what their labels were made of.
        interactions: the table of events.
        base: section `base`.
        attacked: the same rows as attacks want them, with pictures; None for `data`.

    Raises:
        ConfigError: no table of events for a task that learns from them.
        ContractError: too little to learn, or nothing to pick an epoch by.
    """
    first, rows = tasks[0], data if attacked is None else attacked
    if first.rows_are_events:
        events = read_events(interactions, data)
        dev = development_events(events, rows, first.facts)
        clean = replace(dev, items=data)
        lists = ListDevelopment(first, data, events, clean, base.precision, base.seed)
        return Splits(training_events(events, rows, first.facts, base.seed), None, dev, lists)
    check_splits(data, tasks, cells)
    train = rows.select("train")
    development = Development(tasks, data.select("dev"), base.precision)
    return Splits(train, draws_of(tasks, train), rows.select("dev"), development)


def selection_of(task: Task, max_fall: float) -> Selection:
    """The development metric that picks the epoch of a task."""
    return Selection(task.picked_by, task.greater_is_better, max_fall)


def training_metrics(stage: str, history: History, selection: Selection) -> dict[str, Any]:
    """The best epoch's figures, steps and passes of the whole run: what a step costs, and remarks
    on its curves."""
    best_of = max if selection.greater_is_better else min
    best = best_of(history, key=lambda figures: figures[f"eval_{selection.metric}"])
    steps = sum(figures["train_steps"] for figures in history)
    forward = sum(figures["train_forward_passes"] for figures in history)
    backward = sum(figures["train_backward_passes"] for figures in history)
    dev = {name.removeprefix("eval_"): best[name] for name in best if name.startswith("eval_")}
    return {
        "best_epoch": int(best["epoch"]),
        "epochs": len(history),
        "dev": dev,
        "train": {"loss": best["train_loss"], "accuracy": best["train_accuracy"]},
        "steps": int(steps),
        "forward_passes": int(forward),
        "backward_passes": int(backward),
        "remarks": told_remarks(stage, history),
    }
