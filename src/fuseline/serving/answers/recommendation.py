"""What the content of an item says, for whom to recommend it to."""

from __future__ import annotations

import pyarrow as pa

from fuseline.serving.answers.base import VECTORS, Answer, Answered, Columns, shortened


class ItemAnswer(Answer):
    """`content_vector`: two items that are taken by the same people have a large product."""

    @property
    def fields(self) -> list[pa.Field]:
        return [pa.field("content_vector", VECTORS)]

    def columns(self, rows: Answered) -> Columns:
        return {"content_vector": list(shortened(rows.stacked(self.task.output)))}
