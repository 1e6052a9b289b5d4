"""Numbers and ratings."""

from __future__ import annotations

import pyarrow as pa

from fuseline.learning.probabilities import sigmoid
from fuseline.serving.answers.base import Answer, Answered, Columns, rounded


class NumberAnswer(Answer):
    """`value`, in the unit of the column that was learnt."""

    @property
    def fields(self) -> list[pa.Field]:
        return [pa.field("value", pa.float64())]

    def columns(self, rows: Answered) -> Columns:
        scaled = rows.stacked(self.task.output)[:, 0].astype("float64")
        values = scaled * self.task.facts["deviation"] + self.task.facts["mean"]
        # As many digits as float32 has, whatever the unit.
        return {"value": [float(f"{value:.7g}") for value in values]}


class RatingAnswer(Answer):
    """`score` from 0 to 1, by which a user's rows are put in order, best first."""

    @property
    def fields(self) -> list[pa.Field]:
        return [pa.field("score", pa.float64())]

    def columns(self, rows: Answered) -> Columns:
        return {"score": rounded(sigmoid(rows.stacked(self.task.output)[:, 0]))}
