"""What every kind of answer gives.

Shapes: N rows, C classes, T tokens of a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fuseline.serving.contract import Certainty, ExportedTask

if TYPE_CHECKING:
    from fuseline.data.ingest.candidate import Record

# Decimals of a probability: what one batch rounds otherwise than another lies beyond them.
DIGITS = 6
# Columns of an answer by name; each holds one value a row.
Columns = dict[str, list[Any]]
VECTORS = pa.list_(pa.float32())


@dataclass(frozen=True)
class Answered:
    """N rows and what the model's graph gave for them.

    Attributes:
        records: as `ingest` would keep them.
        given: the texts as they came, None where a row has none.
        outputs: by name, an array for each row.
        present: (N,) bool by modality.
        offsets: of each row the characters `(start, end)` of its tokens.
        texts: that were written for each row, by the output that they were written from.
    """

    records: Sequence[Record]
    given: Sequence[str | None]
    outputs: Mapping[str, Sequence[np.ndarray]]
    present: Mapping[str, np.ndarray]
    offsets: Sequence[Sequence[tuple[int, int]]]
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def stacked(self, name: str) -> np.ndarray:
        """One output of all rows, (N, ...)."""
        return np.stack(self.outputs[name]) if len(self) else np.zeros((0, 1), dtype=np.float32)


class Answer(ABC):
    """Answers to one task.

    Args:
        task: as the contract has it.
        certainty: of the model's first task, if it is a classification; None of others.
        with_all: give the probability of every label too.
    """

    def __init__(self, task: ExportedTask, certainty: Certainty | None, *, with_all: bool) -> None:
        self.task, self.certainty, self.with_all = task, certainty, with_all
        self.labels: list[str] = task.facts.get("labels", [])

    @property
    @abstractmethod
    def fields(self) -> list[pa.Field]:
        """Names and types of the columns."""

    @abstractmethod
    def columns(self, rows: Answered) -> Columns:
        """Their values."""


def rounded(values: np.ndarray) -> list[float]:
    """Floats as they are written."""
    return [round(float(value), DIGITS) for value in values]


def shortened(vectors: np.ndarray) -> list[list[float]]:
    """Rows of vectors as they are written."""
    found: list[list[float]] = np.round(vectors.astype(np.float64), DIGITS).tolist()
    return found
