"""What a topic is like when nothing is the matter, from its first windows.

The share of negatives p, drawn towards that of all topics; how much more it varies between windows
than a coin would, as the correlation r of two rows of a window (a beta-binomial distribution); and
the limit of its chart. A window of n rows with x negatives has the score

    z = (x - n p) / sqrt(n p (1 - p) (1 + (n - 1) r)),

with mean 0 and variance 1 at any volume. Shapes: W reference windows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import beta, betabinom, binom

from fuseline.serving.monitor.run_length import Scores, limit_for, run_length

# Rows that the share of all topics counts for in a topic's own.
PRIOR_ROWS = 20.0
# A share is kept off 0 and 1, where no score could be made.
LEAST_SHARE = 0.002
# The allowance is half of what a surge adds to the score, within these.
ALLOWANCES = (0.25, 3.0)
LEAST_LIMIT = 1.0
# Counts further from their mean than so many deviations have no weight worth computing.
_TAIL = 12.0
# Correlations below it count as none.
_NO_CORRELATION = 1e-6

Window = tuple[int, int]


@dataclass(frozen=True)
class Baseline:
    """Of one stream.

    Attributes:
        share: p.
        correlation: r.
        allowance, limit: k and h of its chart.
    """

    share: float
    correlation: float
    allowance: float
    limit: float

    def score(self, rows: int, negatives: int) -> float:
        """z of a window of `rows`, at least one."""
        return float(standardised(rows, np.array(negatives), self.share, self.correlation))

    def as_json(self) -> dict[str, float]:
        """As the state keeps it."""
        return asdict(self)


@dataclass(frozen=True)
class Wanted:
    """What a chart is to do.

    Attributes:
        run_length: average windows between false alarms.
        surge: points of share, in [0, 1], that it is to see soon.
        guard: how sure the run length is to be, given that the share is estimated: in [0.5, 1).
    """

    run_length: float
    surge: float
    guard: float


def standardised(rows: int, negatives: np.ndarray, share: float, correlation: float) -> np.ndarray:
    """z of counts of negatives among `rows`."""
    variance = rows * share * (1 - share) * (1 + (rows - 1) * correlation)
    result: np.ndarray = (negatives - rows * share) / math.sqrt(variance)
    return result


def fit(windows: Sequence[Window], pooled: float, wanted: Wanted) -> Baseline:
    """The baseline of a stream.

    The limit is that for a true share at the quantile `guard` of what it may be, given the
    reference: charts whose limits take an estimate for the truth alarm falsely far more often than
    asked (Gandy and Kvaløy 2013, Scandinavian Journal of Statistics 40).

    Args:
        windows: W pairs of rows, at least one, and negatives.
        pooled: the share of all streams of the kind.
        wanted: of its chart.
    """
    rows, negatives = np.array(windows, dtype=np.int64).T
    share = _shrunk(float(rows.sum()), float(negatives.sum()), pooled)
    correlation = _correlation(rows, negatives, share)
    told = rows.sum() / (1 + (rows.mean() - 1) * correlation) + PRIOR_ROWS
    high = float(beta.ppf(wanted.guard, told * share, told * (1 - share)))
    true = share if wanted.guard == 0.5 else min(max(high, share), 1 - LEAST_SHARE)
    return charted(rows, share, true, correlation, wanted)


def charted(
    rows: np.ndarray, share: float, true: float, correlation: float, wanted: Wanted
) -> Baseline:
    """The chart of a stream that is known.

    Args:
        rows: of W windows, any of which the next is like.
        share: that the chart takes for the true one.
        true: that its run length is to hold for.
        correlation: r.
        wanted: of the chart.
    """
    middle = max(1.0, float(np.median(rows)))
    deviation = math.sqrt(share * (1 - share) * (1 + (middle - 1) * correlation) / middle)
    allowance = min(max(wanted.surge / 2 / deviation, ALLOWANCES[0]), ALLOWANCES[1])
    in_control = Scores.mixed([scores_of(int(one), true, share, correlation) for one in rows])
    # A larger allowance than this limit bears would alarm more rarely than was asked.
    while allowance > ALLOWANCES[0] and (
        run_length(in_control, allowance, LEAST_LIMIT) > wanted.run_length
    ):
        allowance *= 0.9
    return Baseline(
        share, correlation, allowance, limit_for(in_control, allowance, wanted.run_length)
    )


def scores_of(rows: int, true: float, share: float, correlation: float) -> Scores:
    """Scores of windows of `rows` whose true share is `true`, where the chart takes it for
    `share`."""
    spread = math.sqrt(rows * true * (1 - true) * (1 + (rows - 1) * correlation))
    middle = rows * true
    first, last = math.floor(middle - _TAIL * spread), math.ceil(middle + _TAIL * spread)
    counts = np.arange(max(0, first), min(rows, last) + 1)
    if correlation < _NO_CORRELATION:
        probabilities = binom.pmf(counts, rows, true)
    else:
        size = (1 - correlation) / correlation
        probabilities = betabinom.pmf(counts, rows, true * size, (1 - true) * size)
    values = standardised(rows, counts, share, correlation)
    return Scores(values, probabilities / probabilities.sum())


def _shrunk(rows: float, negatives: float, pooled: float) -> float:
    share = (negatives + PRIOR_ROWS * pooled) / (rows + PRIOR_ROWS)
    return min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)


def _correlation(rows: np.ndarray, negatives: np.ndarray, share: float) -> float:
    """r, by the moments: Pearson's statistic is its degrees of freedom plus r times the pairs."""
    expected = rows * share
    pearson = ((negatives - expected) ** 2 / (expected * (1 - share))).sum()
    pairs = float((rows - 1).sum())
    excess = float(pearson) - (len(rows) - 1)
    return min(max(excess / pairs, 0.0), 0.5) if pairs > 0 else 0.0
