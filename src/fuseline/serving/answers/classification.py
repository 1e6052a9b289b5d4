"""One of C labels, how sure that is, and what else it may be."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fuseline.evaluation.trust.conformal import prediction_sets
from fuseline.learning.probabilities import softmax
from fuseline.serving.answers.base import Answer, Answered, Columns, rounded

_NAMES = pa.list_(pa.string())


class ClassAnswer(Answer):
    """`label` and its calibrated `probability`; `sure`, whether that is enough to answer by;
    `set`, labels that hold the right one as often as the export asked; and by modality what it
    says alone, null where the row lacks it."""

    @property
    def fields(self) -> list[pa.Field]:
        found = [pa.field("label", pa.string()), pa.field("probability", pa.float64())]
        if self.certainty:
            found += [pa.field("sure", pa.bool_()), pa.field("set", _NAMES)]
        for name in self.task.by_modality:
            found.append(pa.field(f"{name}_label", pa.string()))
            found.append(pa.field(f"{name}_probability", pa.float64()))
        if self.with_all:
            found.append(pa.field("probabilities", pa.map_(pa.string(), pa.float64())))
        return found

    def columns(self, rows: Answered) -> Columns:
        probabilities = self._probabilities(rows.stacked(self.task.output))
        found = self._best("", probabilities, np.ones(len(rows), dtype=bool))
        if self.certainty:
            likeliest = probabilities.max(-1, initial=0.0)
            found["sure"] = [bool(one) for one in likeliest >= self.certainty.threshold]
            sets = prediction_sets(probabilities, self.certainty.quantiles)
            pairs = zip(sets, probabilities, strict=True)
            found["set"] = [self._by_probability(*pair) for pair in pairs]
        for name, output in self.task.by_modality.items():
            alone = softmax(rows.stacked(output))
            found |= self._best(f"{name}_", alone, rows.present[name])
        if self.with_all:
            found["probabilities"] = [
                list(zip(self.labels, rounded(row), strict=True)) for row in probabilities
            ]
        return found

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        return softmax(logits / (self.certainty.temperature if self.certainty else 1.0))

    def _best(self, prefix: str, probabilities: np.ndarray, present: np.ndarray) -> Columns:
        best = probabilities.argmax(-1)
        pairs = list(zip(best, present, strict=True))
        sure = rounded(probabilities.max(-1, initial=0.0))
        return {
            f"{prefix}label": [self.labels[place] if there else None for place, there in pairs],
            f"{prefix}probability": [
                value if there else None for value, there in zip(sure, present, strict=True)
            ],
        }

    def _by_probability(self, inside: np.ndarray, probabilities: np.ndarray) -> list[str]:
        """Labels of a set, the likeliest first."""
        order = np.argsort(-probabilities, kind="stable")
        return [self.labels[place] for place in order if inside[place]]
