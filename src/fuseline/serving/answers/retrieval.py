"""Vectors by which one modality of a row is found by another."""

from __future__ import annotations

import pyarrow as pa

from fuseline.serving.answers.base import VECTORS, Answer, Answered, Columns, shortened


class VectorAnswer(Answer):
    """`<modality>_vector`, null where the row lacks the modality; products of two are scaled
    similarities."""

    @property
    def fields(self) -> list[pa.Field]:
        return [pa.field(f"{name}_vector", VECTORS) for name in self.task.facts["modalities"]]

    def columns(self, rows: Answered) -> Columns:
        found = rows.stacked(self.task.output)
        columns: Columns = {}
        for place, name in enumerate(self.task.facts["modalities"]):
            pairs = zip(shortened(found[:, place]), rows.present[name], strict=True)
            columns[f"{name}_vector"] = [vector if there else None for vector, there in pairs]
        return columns
