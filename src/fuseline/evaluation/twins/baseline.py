"""The figures to beat, before anything is trained: a linear model of the frozen features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuseline.data.dataset import MultimodalData, load_data
from fuseline.evaluation.twins.frozen import frozen_blocks
from fuseline.evaluation.twins.tasks import twins_of
from fuseline.learning.model.processing import create_processor
from fuseline.learning.tasks import TASKS, Task
from fuseline.learning.tasks.labelled import (
    Examples,
    build_tasks,
    check_target,
    config_entry,
    with_labels,
)
from fuseline.params.base import BaseParams
from fuseline.params.finetune import TaskParams
from fuseline.pipeline.precision import make_deterministic
from fuseline.registry import lookup


@dataclass(frozen=True)
class BaselineInputs:
    """What the stage reads.

    Attributes:
        examples, tokens: the tables of those names.
        tokenizer: names the frozen text encoder.
        features: folder with one features table per modality.
    """

    examples: Path
    tokens: Path
    tokenizer: Path
    features: Path


def measure_baseline(
    inputs: BaselineInputs, *, tasks: Sequence[TaskParams], base: BaseParams
) -> dict[str, Any]:
    """Scores on the test split of a linear model of the first task, with all modalities and with
    each alone: the twin that `evaluate` holds the trained models to.

    A wrong column for a label, or rows that nothing can be learnt from, show here, a minute after
    the start.

    Returns:
        `rows` of the test split and `task`; the scores of the twin, and `<modality>_only`, those of
        each modality that takes part. No scores of a task that has no linear twin, or without test
        rows.

    Raises:
        ConfigError: a target that is not there, or that its task cannot learn.
        ContractError: too little to learn.
    """
    make_deterministic(base.seed, 1)
    task, data = _labelled(inputs, tasks[0], base)
    rows = int((data.splits == "test").sum())
    names = [str(name) for name in base.modalities]
    twins: dict[str, dict[str, float]] = {}
    if rows and task.target_kinds:
        blocks = frozen_blocks(inputs.tokenizer, inputs.features, data, base)
        twins = twins_of(task, data, blocks, names, desc="baseline")
    alone = {f"{name}_only": twins.get(f"twin_{name}_only", {}) for name in names}
    figures = {"rows": rows, "task": task.kind, **twins.get("twin", {}), **alone}
    print(told(figures, names))
    return figures


def told(figures: dict[str, Any], modalities: list[str]) -> str:
    """The figures in a sentence, its first score by modality."""
    scores = {name: value for name, value in figures.items() if isinstance(value, float)}
    if not scores:
        return f"baseline: a {figures['task']} has no linear model to hold it to."
    first = next(iter(scores))
    alone = ", ".join(f"{name} {figures[f'{name}_only'][first]:.3f}" for name in modalities)
    each = f"; alone, {first}: {alone}" if len(modalities) > 1 else ""
    whole = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    return (
        f"baseline: a linear model of the frozen features has {whole} on {figures['rows']} test"
        f" rows{each}. This is no figure of the model that is trained now; it is what to beat."
    )


def _labelled(
    inputs: BaselineInputs, asked: TaskParams, base: BaseParams
) -> tuple[Task, MultimodalData]:
    """The first task, and the rows that have a label of it."""
    tokenizer = create_processor(inputs.tokenizer, inputs.features, base.modalities).tokenizer
    data = load_data(
        inputs.tokens, inputs.features, base.modalities, pad_token_id=tokenizer.pad_token_id
    )
    examples = Examples(inputs.examples, data, tokenizer)
    kind = lookup(TASKS, asked.kind, where="finetune.tasks[0].kind")
    check_target(kind, asked.target, examples.kinds, "finetune.tasks[0]")
    entry = config_entry(asked, kind(asked.name, kind.learn(examples.cells(asked.target))))
    task = build_tasks([entry])[0]
    labelled = with_labels(data, examples, [entry])
    return task, labelled.take(task.own_rows(labelled))
