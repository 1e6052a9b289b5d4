"""What the model says of a message.

Shapes: W width of the fused vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from fuseline.errors import ConfigError, ContractError
from fuseline.serving.cleaning import Cleaned, Refused
from fuseline.serving.contract import VECTOR, ExportContract
from fuseline.serving.predictor import Predictor
from fuseline.serving.rows import raw_row
from fuseline.serving.writers import as_objects

# Texts that are encoded at once.
BLOCK_ROWS = 256


@dataclass(frozen=True)
class Understood:
    """A message as the model sees it.

    Attributes:
        probabilities: calibrated, by intent, the likeliest first.
        sure: whether the likeliest is sure enough to answer by.
        in_scope: whether the message lies near enough to what was learnt.
        vector: (W,) float32.
    """

    probabilities: Mapping[str, float]
    sure: bool
    in_scope: bool
    vector: np.ndarray

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Understood:
        """Of an answer with probabilities and the vector, as `fuseline predict` gives it."""
        pairs = sorted(answer["probabilities"].items(), key=lambda pair: (-pair[1], pair[0]))
        vector = np.array(answer[VECTOR], dtype=np.float32)
        return cls(dict(pairs), bool(answer["sure"]), bool(answer["in_scope"]), vector)

    @property
    def best(self) -> list[tuple[str, float]]:
        """The two likeliest intents, or the one there is."""
        return list(self.probabilities.items())[:2]


def check_model(contract: ExportContract) -> None:
    """Hold an export to what conversations need of it.

    Raises:
        ConfigError: it does not read texts, or its first task does not tell intents.
    """
    if "text" not in contract.modalities:
        raise ConfigError(
            f"--model: expected a model that reads text, found one of"
            f" {', '.join(contract.modalities)}. Train one with text among base.modalities."
        )
    if contract.certainty is None:
        raise ConfigError(
            f"--model: expected a model whose first task is a classification, which tells intents;"
            f" found {contract.tasks[0].kind}. Put it first in finetune.tasks."
        )


def labels_of(contract: ExportContract) -> list[str]:
    """The intents that were learnt."""
    labels: list[str] = contract.tasks[0].facts["labels"]
    return labels


def understand(predictor: Predictor, message: str) -> Understood | Refused:
    """A message, or why it is not read.

    Args:
        predictor: that gives probabilities and vectors.
        message: as it came.
    """
    cleaned = predictor.clean(raw_row(0, text=[message], media={}))
    if isinstance(cleaned, Refused):
        return cleaned
    (answer,) = as_objects(predictor.answer([cleaned]))
    return Understood.of(answer)


def vectors_of(predictor: Predictor, texts: Sequence[str], where: str) -> np.ndarray:
    """(N, W) float32 of N texts.

    Args:
        predictor: that gives vectors.
        texts: as they are.
        where: they are from, for the error.

    Raises:
        ContractError: one would be refused in training.
    """
    found = []
    for start in range(0, len(texts), BLOCK_ROWS):
        block = texts[start : start + BLOCK_ROWS]
        answers = predictor.answer(_cleaned(predictor, block, start, where))
        column: pa.Array = answers.column(VECTOR).combine_chunks()
        found.append(column.flatten().to_numpy(zero_copy_only=False).reshape(len(block), -1))
    return np.concatenate(found).astype(np.float32)


def _cleaned(predictor: Predictor, texts: Sequence[str], start: int, where: str) -> list[Cleaned]:
    rows = []
    for number, text in enumerate(texts, start=start):
        row = predictor.clean(raw_row(number, text=[text], media={}))
        if isinstance(row, Refused):
            raise ContractError(
                f"{where}: text {number + 1}: {row.reason}: {row.detail} Correct it, or remove it."
            )
        rows.append(row)
    return rows
