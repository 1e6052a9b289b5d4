"""Raw rows in, answers out: what every face of a model asks.

Shapes: N rows, W width of the fused vector, K neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuseline.data.modalities.text.tokenizer import load_tokenizer
from fuseline.data.sources import RawRow
from fuseline.errors import ConfigError
from fuseline.evaluation.trust.scope import Scope, nearest, unit
from fuseline.serving.answers import ANSWERS, Answer
from fuseline.serving.answers.base import VECTORS, Answered, Columns, rounded, shortened
from fuseline.serving.cleaning import Cleaned, Cleaner, Refused
from fuseline.serving.contract import (
    BANK_FILE,
    MODEL_FILES,
    VECTOR,
    ExportContract,
    read_contract,
)
from fuseline.serving.inputs import Prepared, Preparer
from fuseline.serving.scores import Line, scored
from fuseline.serving.sessions import Graph
from fuseline.serving.writing import TaskTexts, TextWriter, check_controls

# Rows that a graph computes at once: of like length, so that short ones are padded little.
BATCH_ROWS = 16
# Among the notes of a table of answers: the weights, by their hash, that gave its vectors.
WEIGHTS = b"fuseline.weights"


@dataclass(frozen=True)
class Options:
    """How rows are answered.

    Attributes:
        format: `onnx` or `int8`.
        threads: that a graph computes on.
        probabilities: give those of every label.
        neighbours: give the nearest training rows.
        vectors: give the fused vectors.
        controls: what written texts are to be like, by control.
    """

    format: str = "onnx"
    threads: int = 1
    probabilities: bool = False
    neighbours: bool = False
    vectors: bool = False
    controls: Mapping[str, str] = field(default_factory=dict)


class Predictor:
    """An exported model.

    Args:
        folder: of the export.
        options: how it answers.

    Attributes:
        contract: of the export.
        schema: of the table of answers.

    Raises:
        ConfigError: no export there, none of the format, or a control that it does not know.
        ContractError: a file of it is damaged.
    """

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        self.folder, self.options = folder, options or Options()
        self.contract: ExportContract = read_contract(folder)
        check_controls(self.contract.tasks, self.options.controls)
        self._graph = Graph(self._model_file(), self.options.threads)
        self._prepare = Preparer(folder, self.contract, self.options.threads)
        self._clean = Cleaner(self.contract)
        self._answers = [self._answer(number) for number in range(len(self.contract.tasks))]
        self._written = self._texts()
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
                *([pa.field(VECTOR, VECTORS)] if self.options.vectors else []),
            ],
            metadata={WEIGHTS: self.contract.origin.weights},
        )

    def clean(self, row: RawRow) -> Cleaned | Refused:
        """See `Cleaner`."""
        return self._clean(row)

    def answer(self, rows: Sequence[Cleaned]) -> pa.Table:
        """Answers to N rows, in their order."""
        return self.scored(rows)[0]

    def scored(self, rows: Sequence[Cleaned]) -> tuple[pa.Table, list[Line]]:
        """Answers to N rows, in their order, and what a log of scores holds of each."""
        records = [row.record for row in rows]
        prepared = self._prepare(records)
        outputs, texts = self._run(prepared)
        given = [row.given for row in rows]
        answered = Answered(records, given, outputs, prepared.present, prepared.offsets, texts)
        found: Columns = {"row": [row.row for row in rows], "id": [row.id for row in rows]}
        for prefix, answer in self._named():
            for name, values in answer.columns(answered).items():
                found[f"{prefix}{name}"] = values
        found |= self._scoped(answered)
        if self.options.vectors:
            found[VECTOR] = shortened(answered.stacked(VECTOR))
        answers = pa.table([found[name] for name in self.schema.names], schema=self.schema)
        return answers, scored(self.contract, self.options.format, answers, prepared.present)

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

    def _texts(self) -> list[TaskTexts]:
        """What writes the texts of each task that has any."""
        found, options = [], self.options
        for task in self.contract.tasks:
            if task.decoder and self.contract.beams:
                graph = Graph(self.folder / task.decoder.files[options.format], options.threads)
                writer = TextWriter(graph, task.decoder, self.contract.beams)
                tokenizer = load_tokenizer(self.folder)
                found.append(TaskTexts(task.output, writer, tokenizer, options.controls))
        return found

    def _named(self) -> list[tuple[str, Answer]]:
        """Each answer, with what its columns begin with."""
        return [(self.contract.prefix(place), one) for place, one in enumerate(self._answers)]

    def _run(self, prepared: Prepared) -> tuple[dict[str, list[np.ndarray]], dict[str, list[str]]]:
        """Outputs of the graph by name, an array for each row; and the texts that are written of
        some of them, which are too large to keep."""
        order = prepared.order()
        read = {name for one in self._written for name in one.reads}
        found: dict[str, list[Any]] = {
            name: [None] * len(order) for name in self._graph.outputs if name not in read
        }
        texts: dict[str, list[str]] = {one.output: [""] * len(order) for one in self._written}
        pad = self.contract.text.pad_token_id if self.contract.text else 0
        for start in range(0, len(order), BATCH_ROWS):
            rows = order[start : start + BATCH_ROWS]
            outputs = self._graph(prepared.batch(rows, pad))
            for one in self._written:
                for row, text in zip(rows, one(outputs), strict=True):
                    texts[one.output][row] = text
            for name, values in found.items():
                for place, row in enumerate(rows):
                    values[row] = outputs[name][place]
        return found, texts

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
