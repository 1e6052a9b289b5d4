"""Whether the models differ: paired tests on the same clean rows."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import binomtest

from fuseline.evaluation.stress.base import Context
from fuseline.evaluation.trust.intervals import PERCENTILES


def paired_suite(context: Context) -> dict[str, Any]:
    """For each pair of models what `paired_figures` says of their right rows."""
    resamples = context.params.paired.num_resamples
    return {
        f"{one}_and_{other}": paired_figures(
            {name: context.clean[name].right for name in (one, other)},
            num_resamples=resamples,
            seed=context.seed,
        )
        for one, other in combinations(context.models, 2)
    }


def paired_figures(
    right: dict[str, np.ndarray], *, num_resamples: int, seed: int
) -> dict[str, Any]:
    """The exact McNemar test (McNemar 1947, Psychometrika 12), and a bootstrap interval.

    Args:
        right: (N,) bool by model, two of them: rows that it gets right.
        num_resamples: of the rows, drawn with replacement, both models on the same ones.
        seed: of the draws.

    Returns:
        `rows`; `right_by_<model>_only`, counts; `p_value`, two-sided, of the hypothesis that a row
        that one model alone gets right is as likely the one's as the other's; `difference`, share
        right of the second model minus that of the first, with its 95 % percentile `interval`.
    """
    (first, by_first), (second, by_second) = right.items()
    rows = len(by_first)
    counts = np.array([(by_first & ~by_second).sum(), (by_second & ~by_first).sum()])
    alone = int(counts.sum())
    # Drawing N rows with replacement is drawing how many of each kind: no row is copied.
    shares = np.append(counts, rows - alone) / max(rows, 1)
    draws = np.random.default_rng(seed).multinomial(rows, shares, size=num_resamples)
    low, high = np.percentile((draws[:, 1] - draws[:, 0]) / max(rows, 1), PERCENTILES)
    return {
        "rows": rows,
        f"right_by_{first}_only": int(counts[0]),
        f"right_by_{second}_only": int(counts[1]),
        "p_value": float(binomtest(int(counts[0]), alone).pvalue) if alone else 1.0,
        "difference": float(shares[1] - shares[0]),
        "interval": {"low": float(low), "high": float(high)},
    }
