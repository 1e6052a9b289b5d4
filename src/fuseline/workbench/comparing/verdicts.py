"""One sentence per figure and revision: how far it is from the first revision's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fuseline.evaluation.trust.corrections import holm
from fuseline.reporting.figures import named_figures, title
from fuseline.workbench.comparing.evaluated import Evaluated
from fuseline.workbench.comparing.predictions import Cache, Predictions
from fuseline.workbench.comparing.significance import (
    Difference,
    Pair,
    counts_of,
    encode,
    unpaired_p_value,
)

LEVEL = 0.05
LEFT_OUT = "attack_success_rate"


@dataclass(frozen=True)
class Verdict:
    """What can be said of one figure.

    Attributes:
        figure: its name.
        first, other: content of the metrics of both revisions.
        paired: the difference on the same rows; None where it cannot be told.
        why_not: the reason then.
        unpaired: p value of the two counts of rows, where that is all that is known of a share;
            None of other figures, whose intervals can be compared.
        identical: whether both predict the same of every row.
    """

    figure: str
    first: dict[str, Any]
    other: dict[str, Any]
    paired: Difference | None = None
    why_not: str = ""
    unpaired: float | None = None
    identical: bool = False

    def __str__(self) -> str:
        change = f"{title(self.figure)} {self.other[self.figure] - self.first[self.figure]:+.3f}"
        if self.identical:
            return f"{change}: no difference, both predict the same of every row"
        if self.unpaired is not None:
            return f"{change}: {_word(self.unpaired)} (p {self._counts()}; weaker: {self.why_not})"
        if self.paired is None:
            return f"{change}: {self._by_intervals()}"
        paired = self.paired
        return (
            f"{change} [{paired.low:+.3f}, {paired.high:+.3f}]: {_word(paired.p_value)}"
            f" (p {paired.p_value:.2g}, {paired.rows} rows)"
        )

    @property
    def p_value(self) -> float | None:
        """Of whichever test there is."""
        return self.unpaired if self.paired is None else self.paired.p_value

    def with_p_value(self, value: float) -> Verdict:
        """The same verdict, its test's p value corrected."""
        if self.paired is None:
            return replace(self, unpaired=value)
        return replace(self, paired=replace(self.paired, p_value=value))

    def _counts(self) -> str:
        """The p value, and of what it is."""
        counts = (counts_of(self.figure, of) for of in (self.other, self.first))
        told = " against ".join(f"{found[0]} of {found[1]}" for found in counts if found)
        return f"{self.unpaired:.2g}, {told}"

    def _by_intervals(self) -> str:
        one, two = (of.get("intervals", {}).get(self.figure) for of in (self.first, self.other))
        if one is None or two is None or not (_has_width(one) and _has_width(two)):
            return f"cannot be told ({self.why_not}, and no intervals)"
        apart = one["high"] < two["low"] or two["high"] < one["low"]
        word = "real, as the intervals are apart" if apart else "not told apart, intervals overlap"
        return f"{word} (weaker: {self.why_not})"


def _word(p_value: float) -> str:
    return "real" if p_value < LEVEL else "within chance"


def _has_width(interval: dict[str, float]) -> bool:
    """Versions before this one wrote intervals without a width, of figures of 0 or 1."""
    return interval["low"] < interval["high"]


def verdicts(first: Evaluated, others: list[Evaluated], cache: Cache) -> list[list[str]]:
    """Per other revision lines of text; p values are corrected for all of the tests together."""
    found = [
        [
            (model, verdict)
            for model in first.models
            if model in other.models
            for verdict in _of_model(first, other, model, cache)
        ]
        for other in others
    ]
    tested = [verdict.p_value for one in found for _, verdict in one]
    corrected = iter(holm([p_value for p_value in tested if p_value is not None]))
    return [[f"{model}: {_with_p(verdict, corrected)}" for model, verdict in one] for one in found]


def _with_p(verdict: Verdict, corrected: Iterator[float]) -> Verdict:
    return verdict if verdict.p_value is None else verdict.with_p_value(next(corrected))


def _of_model(first: Evaluated, other: Evaluated, model: str, cache: Cache) -> Iterator[Verdict]:
    one, two = first.models[model], other.models[model]
    pair = _pair(first, other, model, cache)
    for figure in named_figures(one):
        both = (one[figure], two.get(figure))
        if figure == LEFT_OUT or not all(isinstance(value, int | float) for value in both):
            continue
        verdict = Verdict(figure, one, two)
        if isinstance(pair, str):
            yield _unpaired(verdict, pair)
        elif figure not in pair.figures:
            yield _unpaired(verdict, "not stored by row")
        elif not pair.is_of(figure, one[figure], two[figure]):
            yield _unpaired(verdict, "the predictions do not give the figures")
        elif np.array_equal(pair.first, pair.other):
            yield replace(verdict, identical=True)
        else:
            yield replace(verdict, paired=pair.difference(figure))


def _unpaired(verdict: Verdict, why_not: str) -> Verdict:
    """What can be said without knowing which rows are which."""
    counts = [counts_of(verdict.figure, of) for of in (verdict.first, verdict.other)]
    p_value = unpaired_p_value(counts[0], counts[1]) if counts[0] and counts[1] else None
    return replace(verdict, why_not=why_not, unpaired=p_value)


def _pair(first: Evaluated, other: Evaluated, model: str, cache: Cache) -> Pair | str:
    """Both predictions, or why they cannot be paired."""
    one, two = first.models[model], other.models[model]
    task, labels = one.get("task", ""), one.get("labels", [])
    if task != two.get("task", "") or labels != two.get("labels", []):
        return "other tasks or labels"
    tables: list[Predictions] = []
    for evaluated in (first, other):
        table = cache.read(evaluated, model)
        if table is None:
            return f"predictions of {evaluated.name} not in the cache, `dvc pull` may bring them"
        tables.append(table)
    if not tables[0].same_rows(tables[1]):
        sizes = " and ".join(str(len(table.label)) for table in tables)
        return f"other test rows, {sizes}"
    return encode(task, labels, *tables) or "not stored by row"
