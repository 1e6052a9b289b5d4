"""Intervals of shares of rows, without anything that learns: answering asks for them too."""

from __future__ import annotations

from scipy.stats import binomtest

Interval = dict[str, float]
LEVEL = 0.95


def share_interval(count: int, total: int) -> Interval:
    """95 % interval of `count` rows of `total` (Wilson 1927, Journal of the American Statistical
    Association 22): it has a width where none or all of them count too. Of no rows it is all of
    0 to 1."""
    if not total:
        return {"low": 0.0, "high": 1.0}
    found = binomtest(count, total).proportion_ci(LEVEL, method="wilson")
    # Rounding must not shut out the share itself.
    share = count / total
    return {"low": min(float(found.low), share), "high": max(float(found.high), share)}
