"""Twins of any task: linear models on the frozen encoders' features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.twins.classification import (
    MAX_ITERATIONS,
    STRENGTHS,
    Block,
    standardised,
    twin_metrics,
)
from fuseline.learning.tasks import Task

# Takes inputs (N, D), labels (N, ...), which rows to fit on, and the inverse strength of the
# penalty; gives outputs (N, ...) as the task's own.
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]


def _ridge(inputs: np.ndarray, labels: np.ndarray, fitted: np.ndarray, c: float) -> np.ndarray:
    # Of float32 inputs it would round the labels too, which may be large: years, seconds, prices.
    exact = inputs.astype(np.float64)
    model = Ridge(alpha=1.0 / c).fit(exact[fitted], labels[fitted])
    return np.asarray(model.predict(exact))


def _one_for_each(
    inputs: np.ndarray, labels: np.ndarray, fitted: np.ndarray, c: float
) -> np.ndarray:
    model = OneVsRestClassifier(LogisticRegression(C=c, max_iter=MAX_ITERATIONS))
    model.fit(inputs[fitted], labels[fitted].astype(np.int64))
    scores = np.asarray(model.decision_function(inputs), dtype=np.float32)
    return scores.reshape(len(inputs), labels.shape[1])


FITS: dict[str, Fit] = {"regression": _ridge, "ranking": _ridge, "multilabel": _one_for_each}


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
        # As the other twins do: products of this size gain nothing from a second thread.
        with threadpool_limits(limits=1):
            outputs = fit(inputs, labels, fitted, strength)
        by_split = {
            split: task.scores(outputs[data.splits == split], data.select(split))
            for split in ("dev", "test")
        }
        found.append((sign * by_split["dev"][task.selection_metric], by_split["test"]))
    return max(found, key=lambda pair: pair[0])[1]
