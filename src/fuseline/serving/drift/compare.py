"""Two tallies compared: what moved, by how much, and how sure that is.

N rows of a log against M test rows. Shares have Wilson's intervals (1927). Every test is one of two
samples, of the hypothesis that both are of one population, and their P values are corrected
together (Holm 1979), so that drift is told in at most the agreed share of the looks where nothing
moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, kstwo

from fuseline.evaluation.trust.corrections import holm
from fuseline.evaluation.trust.shares import share_interval
from fuseline.serving.drift.tally import Tally

# Of fewer rows on either side nothing is said.
MIN_ROWS = 20
# Labels that fewer rows than this are expected of are counted together (Cochran 1954).
MIN_EXPECTED = 5
# Up to so many rows the Kolmogorov-Smirnov test is exact, as SciPy has it.
MAX_EXACT_ROWS = 10_000
OTHERS = "all others"


@dataclass(frozen=True)
class Share:
    """How many of how many rows, with a 95 % interval."""

    count: int
    rows: int

    @property
    def value(self) -> float:
        """The share itself; 0 of no rows."""
        return self.count / max(self.rows, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Its ends; all of 0 to 1 of no rows."""
        found = share_interval(self.count, self.rows)
        return found["low"], found["high"]


@dataclass(frozen=True)
class Pair:
    """A share in the log and among the test rows."""

    name: str
    log: Share
    test: Share

    @property
    def moved_by(self) -> float:
        """The log's share less that of the test rows."""
        return self.log.value - self.test.value


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: `labels`, `confidence`, `out_of_scope` or `presence`.
        of: the modality of a presence; empty of others.
        p_value: corrected; None where it was not tested.
        moved: whether it did, by that.
        pairs: shares, those that differ most first. Of the confidence: of answers that are not
            sure, where there is a threshold, and of rows up to the confidence of the largest gap.
        medians: of the confidence in the log and among the test rows; None of others.
        why: it was not tested; empty where it was.
    """

    name: str
    p_value: float | None
    pairs: list[Pair]
    of: str = ""
    moved: bool = False
    medians: tuple[float, float] | None = None
    why: str = ""


def compare(
    log: Tally, test: Tally, modalities: Sequence[str], false_alarms: float
) -> list[Finding]:
    """What of the log differs from the test rows.

    Args:
        log, test: counts of N and M rows.
        modalities: that the model takes.
        false_alarms: how often drift may be told where nothing moved.
    """
    found = [_labels(log, test), _confidence(log, test), _out_of_scope(log, test)]
    found += [_presence(name, log, test) for name in modalities]
    known = [finding for finding in found if finding is not None]
    if min(log.rows, test.rows) < MIN_ROWS:
        why = f"fewer than {MIN_ROWS} rows"
        return [replace(finding, p_value=None, why=why) for finding in known]
    corrected = iter(holm([one.p_value for one in known if one.p_value is not None]))
    return [
        one if one.p_value is None else _decided(one, next(corrected), false_alarms)
        for one in known
    ]


def _decided(finding: Finding, p_value: float, false_alarms: float) -> Finding:
    return replace(finding, p_value=p_value, moved=p_value < false_alarms)


def smallest_move(log: Tally, test: Tally, tests: int, false_alarms: float) -> float:
    """By how much a share near one half has to move to be found every second time, if everything
    is tested at the strictest of the corrected levels."""
    level = NormalDist().inv_cdf(1 - false_alarms / (2 * max(tests, 1)))
    return float(level * np.sqrt(0.25 * (1 / max(log.rows, 1) + 1 / max(test.rows, 1))))


def _labels(log: Tally, test: Tally) -> Finding | None:
    names = sorted({*log.labels, *test.labels})
    if not names:
        return None
    rows = log.labels.total(), test.labels.total()
    pairs = [
        Pair(name, Share(log.labels[name], rows[0]), Share(test.labels[name], rows[1]))
        for name in names
    ]
    pairs.sort(key=lambda pair: -abs(pair.moved_by))
    table = _pooled(np.array([[one.log.count, one.test.count] for one in pairs]))
    if len(table) < 2:
        return Finding("labels", None, pairs, why="no two labels have enough rows")
    return Finding("labels", _p_value(table), pairs)


def _pooled(counts: np.ndarray) -> np.ndarray:
    """(K, 2) counts, labels that too few rows are expected of together: by the sums of both
    samples alone, which says nothing of whether they differ."""
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / max(counts.sum(), 1)
    rare = expected.min(1) < MIN_EXPECTED
    table: np.ndarray = np.vstack([counts[~rare], counts[rare].sum(0)]) if rare.any() else counts
    return np.asarray(table[table.sum(1) > 0])


def _p_value(table: np.ndarray) -> float:
    """Of counts (K, 2): Fisher's exact test of two, chi-square of more; 1 where a side has none."""
    if not table.sum(0).all():
        return 1.0
    if len(table) == 2:
        return float(fisher_exact(table).pvalue)
    return float(chi2_contingency(table, correction=False).pvalue)


def _confidence(log: Tally, test: Tally) -> Finding | None:
    if not log.confidences or not test.confidences:
        return None
    found = _kolmogorov_smirnov(log, test)
    at, ours, theirs = found[1:]
    pairs = [Pair(f"up to {at:.3g}", ours, theirs)]
    if log.judged and test.judged:
        unsure = Share(log.unsure, log.judged), Share(test.unsure, test.judged)
        pairs.insert(0, Pair("not sure", *unsure))
    medians = log.quantile(0.5), test.quantile(0.5)
    return Finding("confidence", found[0], pairs, medians=medians)


def _kolmogorov_smirnov(log: Tally, test: Tally) -> tuple[float, float, Share, Share]:
    """P value (two-sided), the confidence where the shares of rows up to it lie furthest apart, and
    these shares."""
    (own, counts), (other, others) = log.confidence(), test.confidence()
    values = np.union1d(own, other)
    up_to = [
        np.concatenate([[0], np.cumsum(one)])[np.searchsorted(at, values, side="right")]
        for at, one in ((own, counts), (other, others))
    ]
    rows = int(counts.sum()), int(others.sum())
    gaps = np.abs(up_to[0] / rows[0] - up_to[1] / rows[1])
    place = int(gaps.argmax())
    if max(rows) <= MAX_EXACT_ROWS:
        p_value = ks_2samp(np.repeat(own, counts), np.repeat(other, others)).pvalue
    else:
        p_value = kstwo.sf(gaps[place], round(rows[0] * rows[1] / sum(rows)))
    shares = [Share(int(up_to[side][place]), rows[side]) for side in (0, 1)]
    return float(p_value), float(values[place]), shares[0], shares[1]


def _out_of_scope(log: Tally, test: Tally) -> Finding:
    pair = Pair("out of scope", Share(log.outside, log.rows), Share(test.outside, test.rows))
    return _of_pair("out_of_scope", pair)


def _presence(name: str, log: Tally, test: Tally) -> Finding:
    shares = Share(log.present[name], log.rows), Share(test.present[name], test.rows)
    pair = Pair(f"with {name}", *shares)
    return _of_pair("presence", pair, name)


def _of_pair(name: str, pair: Pair, of: str = "") -> Finding:
    """What all rows have, or none has, cannot be seen to move and costs the other tests nothing."""
    counts = np.array([[one.count, one.rows - one.count] for one in (pair.log, pair.test)]).T
    if not counts.sum(1).all():
        why = "every row of both" if pair.log.count else "no row of either"
        return Finding(name, None, [pair], of, why=why)
    return Finding(name, _p_value(counts), [pair], of)
