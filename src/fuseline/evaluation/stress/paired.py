"""Whether the models differ: paired tests on the same clean rows."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import binomtest

from fuseline.evaluation.stress.base import Context
from fuseline.evaluation.trust.shares import Interval, share_interval


def paired_suite(context: Context) -> dict[str, Any]:
    """For each pair of models what `paired_figures` says of their right rows."""
    return {
        f"{one}_and_{other}": paired_figures(
            {name: context.clean[name].right for name in (one, other)}
        )
        for one, other in combinations(context.models, 2)
    }


def paired_figures(right: dict[str, np.ndarray]) -> dict[str, Any]:
    """The exact McNemar test (McNemar 1947, Psychometrika 12), and an interval.

    Args:
        right: (N,) bool by model, two of them: rows that it gets right.

    Returns:
        `rows`; `right_by_<model>_only`, counts; `p_value`, two-sided, of the hypothesis that a row
        that one model alone gets right is as likely the one's as the other's; `difference`, share
        right of the second model minus that of the first, with its 95 % `interval`.
    """
    (first, by_first), (second, by_second) = right.items()
    rows = len(by_first)
    only_first, only_second = int((by_first & ~by_second).sum()), int((by_second & ~by_first).sum())
    alone = only_first + only_second
    return {
        "rows": rows,
        f"right_by_{first}_only": only_first,
        f"right_by_{second}_only": only_second,
        "p_value": float(binomtest(only_first, alone).pvalue) if alone else 1.0,
        "difference": (only_second - only_first) / max(rows, 1),
        "interval": paired_interval(by_first, by_second),
    }


def paired_interval(first: np.ndarray, second: np.ndarray) -> Interval:
    """95 % interval of the share of `second` minus that of `first`, (N,) bool of the same rows
    (Newcombe 1998, Statistics in Medicine 17, 2635, method 10).

    It is put together of the shares' own intervals and their correlation, so that it has a width
    where the two agree on every row too.
    """
    rows = len(first)
    one, two = (share_interval(int(right.sum()), rows) for right in (first, second))
    if not rows:
        return {"low": -1.0, "high": 1.0}
    share, other = first.mean(), second.mean()
    below, above = (share - one["low"], one["high"] - share)
    below_other, above_other = (other - two["low"], two["high"] - other)
    phi = _correlation(first, second)
    down = below_other**2 - 2 * phi * below_other * above + above**2
    up = above_other**2 - 2 * phi * above_other * below + below**2
    difference = float(other - share)
    return {
        "low": difference - float(np.sqrt(max(down, 0.0))),
        "high": difference + float(np.sqrt(max(up, 0.0))),
    }


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Phi of two shares of the same rows, by Newcombe's correction where it is above 0."""
    rows = len(first)
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    products = [float(right.sum()) * float((~right).sum()) for right in (first, second)]
    spread = float(np.sqrt(products[0] * products[1]))
    if not spread:
        return 0.0
    product = both * neither - only_first * only_second
    return (max(product - rows / 2, 0.0) if product > 0 else float(product)) / spread
