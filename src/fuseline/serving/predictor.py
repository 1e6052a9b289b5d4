"""Raw rows in, answers out: what every face of a model asks.

Shapes: N rows, W width of the fused vector, K neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.data.sources import RawRow
from fuseline.errors import ConfigError
from fuseline.evaluation.trust.scope import Scope, nearest, unit
from fuseline.serving.answers import ANSWERS, Answer
from fuseline.serving.answers.base import Answered, Columns, rounded
from fuseline.serving.cleaning import Cleaned, Cleaner, Refused
from fuseline.serving.contract import (
    BANK_FILE,
    MODEL_FILES,
    VECTOR,
    ExportContract,
    read_contract,
)
from fuseline.serving.inputs import Prepared, Preparer
from fuseline.serving.sessions import Graph

# Rows that a graph computes at once: of like length, so that short ones are padded little.
BATCH_ROWS = 16


@dataclass(frozen=True)
class Options:
    """How rows are answered.

    Attributes:
        format: `onnx` or `int8`.
        threads: that a graph computes on.
        probabilities: give those of every label.
        neighbours: give the nearest training rows.
    """

    format: str = "onnx"
    threads: int = 1
    probabilities: bool = False
    neighbours: bool = False


class Predictor:
    """An exported model.

    Args:
        folder: of the export.
        options: how it answers.

    Attributes:
        contract: of the export.
        schema: of the table of answers.

    Raises:
        ConfigError: no export there, or none of the format.
        ContractError: a file of it is damaged.
    """

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        self.folder, self.options = folder, options or Options()
        self.contract: ExportContract = read_contract(folder)
        self._graph = Graph(self._model_file(), self.options.threads)
        self._prepare = Preparer(folder, self.contract, self.options.threads)
        self._clean = Cleaner(self.contract)
        self._answers = [self._answer(number) for number in range(len(self.contract.tasks))]
        facts = self.contract.scope
        self._scope = Scope(facts.neighbours, facts.quantiles, facts.false_refusals)
        self.schema = pa.schema(
            [
                pa.field("row", pa.int64(), nullable=False),
                pa.field("id", pa.string()),
                *(field for prefix, one in self._named() for field in _prefixed(prefix, one)),
                pa.field("out_of_scope", pa.float64()),
                pa.field("in_scope", pa.bool_()),
                *([pa.field("neighbours", _NEIGHBOURS)] if self.options.neighbours else []),
            ]
        )

    def clean(self, row: RawRow) -> Cleaned | Refused:
        """See `Cleaner`."""
        return self._clean(row)

    def answer(self, rows: Sequence[Cleaned]) -> pa.Table:
        """Answers to N rows, in their order."""
        records = [row.record for row in rows]
        prepared = self._prepare(records)
        outputs = self._run(prepared)
        answered = Answered(
            records, [row.given for row in rows], outputs, prepared.present, prepared.offsets
        )
        found: Columns = {"row": [row.row for row in rows], "id": [row.id for row in rows]}
        for prefix, answer in self._named():
            for name, values in answer.columns(answered).items():
                found[f"{prefix}{name}"] = values
        found |= self._scoped(answered)
        return pa.table([found[name] for name in self.schema.names], schema=self.schema)

    def _model_file(self) -> Path:
        path = self.folder / MODEL_FILES[self.options.format]
        if not path.is_file():
            raise ConfigError(
                f"{path}: not found. Fetch the whole export with `dvc pull models/export`, or make"
                " it with `dvc repro export`."
            )
        return path

    def _answer(self, number: int) -> Answer:
        task = self.contract.tasks[number]
        certainty = self.contract.certainty if number == 0 else None
        return ANSWERS[task.kind](task, certainty, with_all=self.options.probabilities)

    def _named(self) -> list[tuple[str, Answer]]:
        """Each answer, with what its columns begin with: those of the first task with nothing."""
        prefixes = ["", *(f"{task.name}." for task in self.contract.tasks[1:])]
        return list(zip(prefixes, self._answers, strict=False))

    def _run(self, prepared: Prepared) -> dict[str, list[np.ndarray]]:
        """Outputs of the graph by name, an array for each row."""
        order = prepared.order()
        found: dict[str, list[Any]] = {name: [None] * len(order) for name in self._graph.outputs}
        pad = self.contract.text.pad_token_id if self.contract.text else 0
        for start in range(0, len(order), BATCH_ROWS):
            rows = order[start : start + BATCH_ROWS]
            for name, values in self._graph(prepared.batch(rows, pad)).items():
                for place, row in enumerate(rows):
                    found[name][row] = values[place]
        return found

    def _scoped(self, answered: Answered) -> Columns:
        """How far off the rows lie, and what they lie near to."""
        vectors = unit(answered.stacked(VECTOR))
        places, distances = nearest(vectors, self._bank[1], self._scope.neighbours)
        scores = self._scope.scores(distances[:, -1])
        found: Columns = {
            "out_of_scope": rounded(scores),
            "in_scope": [not outside for outside in self._scope.is_outside(scores)],
        }
        if self.options.neighbours:
            found["neighbours"] = [
                [self._neighbour(*pair) for pair in zip(row, apart, strict=True)]
                for row, apart in zip(places, distances, strict=True)
            ]
        return found

    def _neighbour(self, place: np.int64, distance: np.float32) -> dict[str, Any]:
        known = self._bank[0]
        return {
            **{name: known[name][int(place)] for name in ("example_id", "label", "text")},
            "distance": round(float(distance), 6),
        }

    @cached_property
    def _bank(self) -> tuple[dict[str, list[Any]], np.ndarray]:
        """What is known of the training rows, and their unit vectors (M, W)."""
        table = pq.read_table(self.folder / BANK_FILE)
        column = table.column("vector").combine_chunks()
        vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        return table.drop_columns("vector").to_pydict(), unit(vectors)


_NEIGHBOURS = pa.list_(
    pa.struct(
        [
            ("example_id", pa.string()),
            ("label", pa.string()),
            ("text", pa.string()),
            ("distance", pa.float64()),
        ]
    )
)


def _prefixed(prefix: str, answer: Answer) -> list[pa.Field]:
    return [field.with_name(f"{prefix}{field.name}") for field in answer.fields]
