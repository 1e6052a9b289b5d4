"""Intervals of figures: of shares of rows in closed form, of others by resampling rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.trust.calibration import bins_of
from fuseline.evaluation.trust.shares import Interval, share_interval
from fuseline.learning.tasks.base import Task
from fuseline.learning.tasks.scores import mean_f1

# Figures of some rows, given by their numbers; a row may come several times.
Score = Callable[[np.ndarray], dict[str, float]]

PERCENTILES = (2.5, 97.5)
# Of scores that take a task a part of a second: draws at most and at least, and rows in all.
MAX_COSTLY_RESAMPLES = 200
MIN_COSTLY_RESAMPLES = 40
COSTLY_ROWS = 400_000
# Figures over users: a row drawn twice would be ranked against itself.
OF_USERS = ("user_auc", "ndcg_at_10", "num_users")


@dataclass(frozen=True)
class Figures:
    """What is measured of some rows.

    Attributes:
        rows: N, at least 1.
        shares: by figure how many rows count, and among how many.
        score: the other figures; what it gives under the name of a share does not count.
    """

    rows: int
    shares: Mapping[str, tuple[int, int]]
    score: Score

    def values(self) -> dict[str, float]:
        """Of all rows; a share of none is 0."""
        shares = {name: count / max(total, 1) for name, (count, total) in self.shares.items()}
        return self.score(np.arange(self.rows)) | shares

    def intervals(self, *, num_resamples: int, seed: int) -> dict[str, Interval]:
        """Of every figure, 95 %."""
        drawn = bootstrap(self.score, self.rows, num_resamples=num_resamples, seed=seed)
        return drawn | {name: share_interval(*counts) for name, counts in self.shares.items()}


def bootstrap(score: Score, num_rows: int, *, num_resamples: int, seed: int) -> dict[str, Interval]:
    """95 % percentile intervals of every figure that `score` gives (Efron 1979).

    An interval is widened to hold the figure of the rows as they are: noise adds to the gaps of a
    calibration error, so that its resamples lie higher. Where a figure is 0 or 1 in every resample,
    its interval is that of such a share of N rows: all resamples of rows without an error are
    without one, which does not show that there is none.

    Args:
        score: of rows by number.
        num_rows: N, at least 1.
        num_resamples: N rows each, drawn with replacement.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    found = score(np.arange(num_rows))
    draws = [score(generator.integers(0, num_rows, num_rows)) for _ in range(num_resamples)]
    return {
        name: _interval(np.array([draw[name] for draw in draws]), value, num_rows)
        for name, value in found.items()
    }


def differences(
    first: Score, second: Score, num_rows: int, *, num_resamples: int, seed: int
) -> dict[str, dict[str, float]]:
    """Of every figure what `first` gives less what `second` gives: `value`, and `low` and `high`
    of its 95 % percentile interval. Each resample is of the same rows for both, so that what makes
    rows hard for both plays no part.

    Args:
        first, second: figures of rows by number.
        num_rows: N, at least 1.
        num_resamples: N rows each, drawn with replacement.
        seed: of the draws.
    """

    def apart(rows: np.ndarray) -> dict[str, float]:
        other = second(rows)
        return {name: value - other[name] for name, value in first(rows).items()}

    generator = np.random.default_rng(seed)
    draws = [apart(generator.integers(0, num_rows, num_rows)) for _ in range(num_resamples)]
    found = {}
    for name, value in apart(np.arange(num_rows)).items():
        low, high = np.percentile([draw[name] for draw in draws], PERCENTILES)
        found[name] = {"value": value, "low": min(low, value), "high": max(high, value)}
    return found


def costly_resamples(num_resamples: int, num_rows: int) -> int:
    """Draws of a task's own scores, fewer where each is of many rows."""
    affordable = max(MIN_COSTLY_RESAMPLES, COSTLY_ROWS // max(num_rows, 1))
    return min(num_resamples, MAX_COSTLY_RESAMPLES, affordable)


def _interval(values: np.ndarray, value: float, num_rows: int) -> Interval:
    if value in (0.0, 1.0) and (values == value).all():
        return share_interval(round(value * num_rows), num_rows)
    low, high = np.percentile(values, PERCENTILES)
    return {"low": min(float(low), value), "high": max(float(high), value)}


def macro_f1_score(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> Score:
    """`macro_f1`, over the classes that the rows asked for are of; see `mean_f1`.

    Args:
        labels, predictions: (N,) int64 below C.
        num_classes: C.
    """

    def score(rows: np.ndarray) -> dict[str, float]:
        # Counts by class, not by pair of classes: thousands of resamples of many are needed.
        actual, found = labels[rows], predictions[rows]
        hits = np.bincount(actual[actual == found], minlength=num_classes)
        predicted = np.bincount(found, minlength=num_classes)
        f1 = mean_f1(hits, predicted, np.bincount(actual, minlength=num_classes))
        return {"macro_f1": float(f1)}

    return score


def ece_score(probabilities: np.ndarray, labels: np.ndarray, num_bins: int) -> Score:
    """`ece` over `num_bins` bins, as `expected_calibration_error` gives it.

    Args:
        probabilities: (N, C), rows sum to 1.
        labels: (N,) int64.
        num_bins: at least 2.
    """
    confidence = probabilities.max(-1).astype(np.float64)
    gaps = confidence - (probabilities.argmax(-1) == labels)
    bins = bins_of(confidence, num_bins)

    def score(rows: np.ndarray) -> dict[str, float]:
        by_bin = np.bincount(bins[rows], gaps[rows], num_bins)
        return {"ece": float(np.abs(by_bin).sum() / len(rows))}

    return score


def task_scores(task: Task, outputs: np.ndarray, data: MultimodalData) -> Score:
    """A task's own scores, but for those over users.

    Args:
        task: whose rows stand alone.
        outputs: (N, ...) of the task.
        data: the N rows.
    """
    # Scores read labels; to copy features and tokens for every resample would take long.
    light = replace(data, features={}, input_ids=[np.zeros(0, dtype=np.int64)] * len(data))

    def score(rows: np.ndarray) -> dict[str, float]:
        found = task.scores(outputs[rows], light.take(rows))
        return {name: value for name, value in found.items() if name not in OF_USERS}

    return score
