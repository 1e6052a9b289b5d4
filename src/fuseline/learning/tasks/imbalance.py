"""What makes a classification learn its rare labels: weights, a sampler, or adjusted logits.

The params name one way; what it comes to for the training rows stands among the task's facts, so
that every stage that trains the model on goes the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fuseline.pipeline.weighed_labels import refuse_unknown

if TYPE_CHECKING:
    # For types alone: a stage is not tied to sections that it does not read.
    from fuseline.params.finetune import ClassWeights

WEIGHTS, LOG_PRIORS, DRAWS = "class_weights", "log_priors", "draws"


def balance(
    way: ClassWeights, names: Sequence[str], training: Sequence[str], where: str
) -> dict[str, Any]:
    """Facts of a classification, C numbers in the order of its labels; none for `none`.

    Args:
        way: `balanced` weighs a row by one over the rows of its label, a mapping by its label's
            number (1 where it names none), both so that the mean over the training rows is 1;
            `balanced_sampler` draws rows so that labels come equally often; `logit_adjustment`
            adds the logarithms of the labels' shares to the logits while training (Menon et al.
            2021, arXiv 2007.07314, with a τ of 1).
        names: the C labels.
        training: label of each training row that has one.
        where: the task's target, for messages.

    Raises:
        ConfigError: a mapping names what is no label.
    """
    counted = Counter(training)
    counts = np.array([counted[name] for name in names], dtype=np.float64)
    # Of a label that no training row has, nothing is learnt whatever stands here.
    rows = np.maximum(counts, 1.0)
    if isinstance(way, Mapping):
        return {WEIGHTS: _of_mean_one(_named(way, names, where), counts)}
    if way == "balanced":
        return {WEIGHTS: _of_mean_one(1.0 / rows, counts)}
    if way == "balanced_sampler":
        return {DRAWS: _of_mean_one(1.0 / rows, counts)}
    if way == "logit_adjustment":
        return {LOG_PRIORS: [float(x) for x in np.log(rows / rows.sum())]}
    return {}


def _named(weights: Mapping[str, float], names: Sequence[str], where: str) -> np.ndarray:
    """(C,) weights; 1 of a label that has none of its own."""
    refuse_unknown(weights, names, where)
    return np.array([weights.get(name, 1.0) for name in names])


def _of_mean_one(weights: np.ndarray, counts: np.ndarray) -> list[float]:
    """The same weights, in scale with a loss without any."""
    mean = float((weights * counts).sum() / max(counts.sum(), 1.0))
    return [float(weight / (mean or 1.0)) for weight in weights]
