"""Linear models of frozen features, as scikit-learn fits them.

Shapes: N rows, D columns, K outputs of a task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

# Inverse strengths of the penalty to choose from.
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
MAX_ITERATIONS = 1000
# The logit of a class that no row has.
NEVER = -20.0


@dataclass(frozen=True)
class Linear:
    """A fitted model.

    Attributes:
        weights: (K, D) float64.
        bias: (K,) float64.
    """

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """(N, K) float64 of (N, D)."""
        return np.asarray(inputs.astype(np.float64) @ self.weights.T + self.bias)


# Takes inputs (N, D), labels (N, ...) as the task has them, all known, and the inverse strength of
# the penalty.
Fit = Callable[[np.ndarray, np.ndarray, float], Linear]


def logistic(
    inputs: np.ndarray,
    labels: np.ndarray,
    c: float,
    *,
    size: int,
    balanced: bool = False,
    tolerance: float = 1e-4,
) -> Linear:
    """Multinomial logistic regression: logits of K classes.

    Args:
        inputs: (N, D).
        labels: (N,) numbers of classes, two of them at least.
        c: inverse strength of the penalty.
        size: K; a class without rows gets `NEVER`.
        balanced: let every class weigh as much as another.
        tolerance: gradient at which the fit ends.
    """
    # Products of this size gain nothing from a second thread, and wait for it on a busy machine.
    with threadpool_limits(limits=1):
        model = LogisticRegression(
            C=c,
            max_iter=MAX_ITERATIONS,
            tol=tolerance,
            class_weight="balanced" if balanced else None,
        ).fit(inputs, labels)
    weights, bias = np.zeros((size, inputs.shape[1])), np.full(size, NEVER)
    if len(model.classes_) == 2:
        weights[model.classes_] = np.outer([-0.5, 0.5], model.coef_[0])
        bias[model.classes_] = np.array([-0.5, 0.5]) * model.intercept_[0]
    else:
        weights[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    return Linear(weights, bias)


def one_for_each(inputs: np.ndarray, labels: np.ndarray, c: float) -> Linear:
    """A logistic regression for each column (K of them) of 0 and 1: its log-odds. A column of one
    value alone is that value, whatever the inputs."""
    wanted = labels.astype(np.int64)
    fitted = [_yes_or_no(inputs, column, c) for column in wanted.T]
    return Linear(np.stack([f.weights[0] for f in fitted]), np.array([f.bias[0] for f in fitted]))


def _yes_or_no(inputs: np.ndarray, column: np.ndarray, c: float) -> Linear:
    if len(np.unique(column)) < 2:
        sure = NEVER if column[0] == 0 else -NEVER
        return Linear(np.zeros((1, inputs.shape[1])), np.array([sure]))
    two = logistic(inputs, column, c, size=2)
    return Linear(two.weights[1:] * 2, two.bias[1:] * 2)


def ridge(inputs: np.ndarray, labels: np.ndarray, c: float) -> Linear:
    """Least squares with a penalty of `1 / c`: a number, K is 1."""
    # Of float32 inputs it would round the labels too, which may be large: years, seconds, prices.
    with threadpool_limits(limits=1):
        model = Ridge(alpha=1.0 / c).fit(inputs.astype(np.float64), labels)
    return Linear(np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_))
