"""Vectors by which one modality of a row is found by another."""

from __future__ import annotations

import pyarrow as pa

from fuseline.serving.answers.base import Answer, Answered, Columns, rounded


class VectorAnswer(Answer):
    """`<modality>_vector`, null where the row lacks the modality; products of two are scaled
    similarities."""

    @property
    def fields(self) -> list[pa.Field]:
        vectors = pa.list_(pa.float64())
        return [pa.field(f"{name}_vector", vectors) for name in self.task.facts["modalities"]]

    def columns(self, rows: Answered) -> Columns:
        found = rows.stacked(self.task.output)
        return {
            f"{name}_vector": [
                rounded(row[place]) if there else None
                for row, there in zip(found, rows.present[name], strict=True)
            ]
            for place, name in enumerate(self.task.facts["modalities"])
        }
