"""Any number of C names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fuseline.learning.probabilities import sigmoid
from fuseline.serving.answers.base import Answer, Answered, Columns, rounded


class NamesAnswer(Answer):
    """`labels`, the names whose probability is above one half, and theirs beside them."""

    @property
    def fields(self) -> list[pa.Field]:
        found = [
            pa.field("labels", pa.list_(pa.string())),
            pa.field("label_probabilities", pa.list_(pa.float64())),
        ]
        if self.with_all:
            found.append(pa.field("probabilities", pa.map_(pa.string(), pa.float64())))
        return found

    def columns(self, rows: Answered) -> Columns:
        # Told apart as training does, by the logit.
        logits = rows.stacked(self.task.output)
        chosen = [np.flatnonzero(row > 0) for row in logits]
        probabilities = sigmoid(logits)
        found: Columns = {
            "labels": [[self.labels[place] for place in places] for places in chosen],
            "label_probabilities": [
                rounded(row[places]) for row, places in zip(probabilities, chosen, strict=True)
            ],
        }
        if self.with_all:
            found["probabilities"] = [
                list(zip(self.labels, rounded(row), strict=True)) for row in probabilities
            ]
        return found
