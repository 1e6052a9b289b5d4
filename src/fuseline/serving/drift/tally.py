"""Rows as counts, so that a log of any length takes little memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from fuseline.serving.answers.base import DIGITS
from fuseline.serving.scores import Score

# Confidences are written to six decimals.
UNITS = 10**DIGITS


@dataclass
class Tally:
    """Counts of N rows.

    Attributes:
        rows: N.
        labels: rows by predicted label.
        confidences: rows by confidence in millionths.
        judged, unsure: rows that were sure or not, and those that were not.
        outside: rows out of scope.
        present: rows by modality that they have.
        formats: rows by format of the graph.
    """

    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    confidences: Counter[int] = field(default_factory=Counter)
    judged: int = 0
    unsure: int = 0
    outside: int = 0
    present: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, scores: Iterable[Score]) -> Tally:
        """Count rows."""
        found = cls()
        for score in scores:
            found.add(score)
        return found

    def add(self, score: Score) -> None:
        """Count a row."""
        self.rows += 1
        self.formats[score.format] += 1
        if score.label is not None:
            self.labels[score.label] += 1
        if score.confidence is not None:
            self.confidences[round(score.confidence * UNITS)] += 1
        if score.sure is not None:
            self.judged += 1
            self.unsure += not score.sure
        self.outside += not score.in_scope
        self.present.update(set(score.present))

    def confidence(self) -> tuple[np.ndarray, np.ndarray]:
        """(V,) float64 confidences that occur, rising, and (V,) int64 how often."""
        values = sorted(self.confidences)
        counts = [self.confidences[value] for value in values]
        return np.array(values, dtype=np.float64) / UNITS, np.array(counts, dtype=np.int64)

    def quantile(self, share: float) -> float:
        """The least confidence that so large a share of the rows do not exceed; of one row at
        least."""
        values, counts = self.confidence()
        place = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
        return float(values[min(place, len(values) - 1)])
