"""Twins of any task: linear models on the frozen encoders' features."""

from __future__ import annotations

from tqdm import tqdm

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.twins.classification import Block, standardised, twin_metrics
from fuseline.learning.tasks import Task
from fuseline.learning.tasks.linear import STRENGTHS, Fit, one_for_each, ridge

FITS: dict[str, Fit] = {"regression": ridge, "ranking": ridge, "multilabel": one_for_each}


def twins_of(
    task: Task,
    data: MultimodalData,
    blocks: dict[str, Block],
    modalities: list[str],
    desc: str | None = None,
) -> dict[str, dict[str, float]]:
    """Scores of the twins of any task; see `twin_metrics` and `task_twins`."""
    if task.kind == "classification":
        return twin_metrics(data, blocks, modalities, desc)
    return task_twins(task, data, blocks, modalities, desc)


def task_twins(
    task: Task,
    data: MultimodalData,
    blocks: dict[str, Block],
    modalities: list[str],
    desc: str | None = None,
) -> dict[str, dict[str, float]]:
    """Scores on the test split of the twin with all modalities, `twin`, and with each alone; none
    for a task that has no linear twin.

    Args:
        task: the first task of a model.
        data: its labelled rows of all splits.
        blocks: of the same rows.
        modalities: those to have a twin of their own.
        desc: what the progress bar says; None for none.
    """
    fit = FITS.get(task.kind)
    if fit is None:
        return {}
    chosen = {"twin": list(blocks)} | {f"twin_{name}_only": [name] for name in modalities}
    return {
        key: _best(task, fit, data, [blocks[name] for name in sorted(names) if name in blocks])
        for key, names in tqdm(chosen.items(), desc=desc, unit="twin", disable=desc is None)
    }


def _best(task: Task, fit: Fit, data: MultimodalData, blocks: list[Block]) -> dict[str, float]:
    """Scores of the penalty that is best on the development split; test rows play no part."""
    train = data.splits == "train"
    inputs, labels = standardised(blocks, train), data.labels_of(task.key)
    fitted = train & task.has_label(labels)
    sign = 1 if task.greater_is_better else -1
    found: list[tuple[float, dict[str, float]]] = []
    for strength in STRENGTHS:
        outputs = fit(inputs[fitted], labels[fitted], strength)(inputs)
        outputs = outputs if labels.ndim > 1 else outputs[:, 0]
        by_split = {
            split: task.scores(outputs[data.splits == split], data.select(split))
            for split in ("dev", "test")
        }
        found.append((sign * by_split["dev"][task.selection_metric], by_split["test"]))
    return max(found, key=lambda pair: pair[0])[1]
