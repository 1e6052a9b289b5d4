"""Rows of another set: whether a model is less sure of them than of rows like its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.scoring.ablation import keep
from fuseline.evaluation.stress.base import Context
from fuseline.evaluation.stress.other_set import read_elsewhere
from fuseline.learning.model.passes import predict_logits
from fuseline.learning.probabilities import softmax

# Share of the test rows that the threshold of the false positive rate lets through.
TRUE_POSITIVE_RATE = 0.95
# As of a coin.
NO_ANSWER = {"auroc": 0.5, "fpr_at_95_tpr": TRUE_POSITIVE_RATE}


def max_softmax(logits: np.ndarray) -> np.ndarray:
    """Largest probability of each row (Hendrycks & Gimpel 2017, arXiv 1610.02136): (N, C) to
    (N,)."""
    return np.asarray(softmax(logits).max(-1))


def energy(logits: np.ndarray) -> np.ndarray:
    """Negative free energy at temperature 1, the logarithm of the summed exponentials of the
    logits (Liu et al. 2020, arXiv 2010.03759): (N, C) to (N,)."""
    return np.asarray(np.logaddexp.reduce(logits.astype(np.float64), -1))


# Higher for what looks like the training rows.
SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "max_softmax": max_softmax,
    "energy": energy,
}


def out_of_distribution_suite(context: Context) -> dict[str, Any]:
    """By model, for each of `SCORES`, how well it tells test rows, the positives, from rows of
    another set: `auroc`, and `fpr_at_95_tpr`, the share of the others that pass a threshold that
    95 % of the test rows pass.

    Both sides have only those modalities that rows of both sets have: one that a side alone has
    would tell them apart by itself.

    Returns:
        `rows` of the test split, `other_rows`, and the figures; nothing for a task without
        classes, the figures of chance where a side has no row left.
    """
    if context.task.kind != "classification":
        return {name: {} for name in context.models}
    elsewhere = read_elsewhere(context)
    shared = [
        name
        for name in context.modalities
        if elsewhere.present(name).any() and context.test.present(name).any()
    ]
    own = _with_any(keep(context.test, shared), shared)
    others = _with_any(keep(elsewhere, shared), shared)
    return {name: _of_model(context, name, own, others) for name in context.models}


def _with_any(data: MultimodalData, modalities: list[str]) -> MultimodalData:
    """The rows that have any of them."""
    present = np.zeros(len(data), dtype=bool)
    for name in modalities:
        present |= data.present(name)
    return data.take(np.flatnonzero(present))


def _of_model(
    context: Context, name: str, own: MultimodalData, others: MultimodalData
) -> dict[str, Any]:
    counts = {"rows": len(own), "other_rows": len(others)}
    if not len(own) or not len(others):
        return counts | {score: dict(NO_ANSWER) for score in SCORES}
    logits, other_logits = (
        predict_logits(context.models[name], data, context.params.batch_size)
        for data in (own, others)
    )
    return counts | {score: detection(of(logits), of(other_logits)) for score, of in SCORES.items()}


def detection(own: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """Figures of a score (N,) of test rows and (M,) of others; higher is meant to be the test
    rows'. Equal scores count half in `auroc`, and pass the threshold together."""
    labels = np.repeat([1, 0], [len(own), len(others)])
    rank = math.ceil(TRUE_POSITIVE_RATE * len(own))
    threshold = np.sort(own)[len(own) - rank]
    return {
        "auroc": float(roc_auc_score(labels, np.concatenate([own, others]))),
        "fpr_at_95_tpr": float((others >= threshold).mean()),
    }
