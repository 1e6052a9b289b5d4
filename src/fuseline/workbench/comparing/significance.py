"""Whether two revisions' figures differ by more than chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from fuseline.workbench.comparing.predictions import Predictions

NUM_RESAMPLES = 2000
SEED = 0
# Figures are stored to six decimals.
ROUNDING = 2e-6
SHARES_OF_RIGHT = ("accuracy", "subset_accuracy")
SHARES_OF_ROWS = (*SHARES_OF_RIGHT, "robust_accuracy")

# Figure of (N,) labels and (N,) predictions.
Figure = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Difference:
    """Of a figure on the same rows, that of the other revision minus that of the first.

    Attributes:
        value: the difference.
        low, high: its 95 % interval.
        p_value: two-sided, of the hypothesis that it makes no difference whose prediction is whose.
        rows: N.
    """

    value: float
    low: float
    high: float
    p_value: float
    rows: int


@dataclass(frozen=True)
class Pair:
    """Two revisions' predictions of the same N rows, encoded so that a figure can be taken.

    Attributes:
        labels: (N,) numbers of classes, or numbers to learn.
        first, other: (N,) the same of the predictions.
        figures: that can be compared row by row, by name.
    """

    labels: np.ndarray
    first: np.ndarray
    other: np.ndarray
    figures: Mapping[str, Figure]

    def difference(self, name: str) -> Difference:
        """Of a figure of `figures`."""
        if name in SHARES_OF_RIGHT:
            return _difference_right(self.labels == self.first, self.labels == self.other)
        return _difference_swapped(self, self.figures[name])

    def is_of(self, name: str, first: float, other: float) -> bool:
        """Whether the predictions give the figures that stand in the metrics."""
        figure = self.figures[name]
        found = figure(self.labels, self.first), figure(self.labels, self.other)
        return bool(np.allclose(found, (first, other), rtol=ROUNDING, atol=ROUNDING))


def encode(task: str, classes: list[str], first: Predictions, other: Predictions) -> Pair | None:
    """Predictions of the same rows as a pair; None for a task whose rows' figures they do not give.

    Args:
        task: kind of the first task.
        classes: of a classification, in their order.
        first, other: of the same rows.
    """
    told = first.label != ""
    texts = [first.label[told], first.prediction[told], other.prediction[told]]
    if task == "classification" and set(np.concatenate(texts)) <= set(classes):
        number = {name: index for index, name in enumerate(classes)}
        coded = [np.array([number[text] for text in one], dtype=np.int64) for one in texts]
        return _paired(coded, _of_classes(len(classes)))
    if task == "multilabel":
        return _paired(texts, {"subset_accuracy": _right})
    if task == "regression":
        return _paired([one.astype(np.float64) for one in texts], {"rmse": _rmse, "mae": _mae})
    return None


def _paired(values: list[np.ndarray], figures: Mapping[str, Figure]) -> Pair:
    labels, first, other = values
    return Pair(labels, first, other, figures)


def counts_of(figure: str, metrics: Mapping[str, Any]) -> tuple[int, int] | None:
    """Of how many rows a figure counts how many; None for one that is no share of rows, or not of
    the rows that the metrics state."""
    share, rows = metrics.get(figure), metrics.get("rows")
    if figure not in SHARES_OF_ROWS or not isinstance(rows, int) or not isinstance(share, Real):
        return None
    share = float(share)
    count = round(share * rows)
    return (count, rows) if rows and abs(share - count / rows) < ROUNDING else None


def unpaired_p_value(first: tuple[int, int], other: tuple[int, int]) -> float:
    """Two-sided, of counts of rows among others, by Fisher's exact test (1922, Journal of the Royal
    Statistical Society 85). Of the same rows it is too careful: it does not know which are."""
    from scipy.stats import fisher_exact

    table = [[count, total - count] for count, total in (first, other)]
    return float(fisher_exact(table).pvalue)


def _difference_right(first: np.ndarray, other: np.ndarray) -> Difference:
    """By the exact McNemar test of (N,) bool."""
    from fuseline.evaluation.stress.paired import paired_figures

    found: dict[str, Any] = paired_figures({"first": first, "other": other})
    interval = found["interval"]
    return Difference(
        found["difference"], interval["low"], interval["high"], found["p_value"], found["rows"]
    )


def _difference_swapped(pair: Pair, figure: Figure) -> Difference:
    """By a permutation test that swaps the two predictions of rows at random (Noreen 1989)."""
    from scipy.stats import permutation_test

    from fuseline.evaluation.trust.intervals import bootstrap

    def statistic(first: np.ndarray, other: np.ndarray) -> float:
        return figure(pair.labels, other) - figure(pair.labels, first)

    def of_rows(rows: np.ndarray) -> dict[str, float]:
        labels = pair.labels[rows]
        return {"it": figure(labels, pair.other[rows]) - figure(labels, pair.first[rows])}

    rows = len(pair.labels)
    found = permutation_test(
        (pair.first, pair.other),
        statistic,
        permutation_type="samples",
        vectorized=False,
        n_resamples=NUM_RESAMPLES,
        rng=SEED,
    )
    interval = bootstrap(of_rows, rows, num_resamples=NUM_RESAMPLES, seed=SEED)["it"]
    return Difference(
        float(found.statistic), interval["low"], interval["high"], float(found.pvalue), rows
    )


def _of_classes(count: int) -> dict[str, Figure]:
    from fuseline.evaluation.trust.intervals import macro_f1_score

    def macro_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
        score = macro_f1_score(labels, predictions, count)
        return score(np.arange(len(labels)))["macro_f1"]

    return {"accuracy": _right, "macro_f1": macro_f1}


def _right(labels: np.ndarray, predictions: np.ndarray) -> float:
    return float((labels == predictions).mean())


def _rmse(labels: np.ndarray, predictions: np.ndarray) -> float:
    return float(np.sqrt(((labels - predictions) ** 2).mean()))


def _mae(labels: np.ndarray, predictions: np.ndarray) -> float:
    return float(np.abs(labels - predictions).mean())
