"""Intents that were added without training, from a few sentences each.

Shapes: N sentences or training rows, K added intents, L learnt ones, W width of a vector.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fuseline.contracts.durable import write_text
from fuseline.errors import ConfigError, ContractError
from fuseline.evaluation.trust.scope import unit
from fuseline.serving.chat.lines import problem_of, read_lines
from fuseline.serving.chat.wording import words
from fuseline.serving.contract import BANK_FILE

LEAST_SENTENCES, MOST_SENTENCES = 5, 1000
MOST_INTENTS = 1000
# Share of the training rows, of intents that were learnt, that the added ones may take.
TAKEN = 0.002
REMEDY = "Correct it, or remove the line and add the intent again with `fuseline intents add`."


class AddedIntent(BaseModel):
    """A line of the file: an intent, and sentences that mean it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    intent: Annotated[str, Field(min_length=1, max_length=100)]
    sentences: Annotated[
        list[Annotated[str, Field(max_length=10_000)]],
        Field(min_length=LEAST_SENTENCES, max_length=MOST_SENTENCES),
    ]


def read_added(path: Path) -> list[AddedIntent]:
    """The intents of a file of JSON lines; none where there is no such file.

    Raises:
        ContractError: a line is wrong; it is named.
    """
    if not path.is_file():
        return []
    try:
        return read_lines(path, AddedIntent, REMEDY)
    except UnicodeDecodeError as error:
        raise ContractError(
            f"{path}: not UTF-8 text ({error}). Save it as such, or move it away and add its"
            " intents again with `fuseline intents add`."
        ) from None


def added_intent(name: str, sentences: Sequence[str]) -> AddedIntent:
    """An intent that somebody adds.

    Raises:
        ContractError: it has no name, or too few or too many sentences.
    """
    differing = {" ".join(words(sentence)) for sentence in sentences} - {""}
    if not words(name):
        raise ContractError("intent: expected a name with a word, found none.")
    if not name.isprintable() or name != name.strip():
        raise ContractError(
            f"intent {name!r}: expected a name of one line without blanks around it. Name it so."
        )
    if not LEAST_SENTENCES <= len(differing) <= MOST_SENTENCES:
        raise ContractError(
            f"intent '{name}': expected {LEAST_SENTENCES} to {MOST_SENTENCES} different sentences,"
            f" found {len(differing)}."
        )
    try:
        return AddedIntent(intent=name, sentences=list(sentences))
    except ValidationError as error:
        raise ContractError(f"intent '{name}': {problem_of(error, 'intent')}.") from None


def with_added(
    before: Sequence[AddedIntent], labels: Iterable[str], new: AddedIntent
) -> list[AddedIntent]:
    """The intents with one more; one of the same name is replaced.

    Raises:
        ContractError: the name was learnt, or there are too many.
    """
    if new.intent in labels:
        raise ContractError(
            f"intent '{new.intent}': the model has learnt one of this name. Name it otherwise, or"
            " add the sentences to the training rows."
        )
    kept = [one for one in before if one.intent != new.intent]
    if len(kept) >= MOST_INTENTS:
        raise ContractError(
            f"intent '{new.intent}': expected at most {MOST_INTENTS} added intents. Train a model"
            " with them."
        )
    return [*kept, new]


def write_added(path: Path, intents: Sequence[AddedIntent]) -> None:
    """Write the file, whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    lines = [json.dumps(one.model_dump(), ensure_ascii=False) for one in intents]
    try:
        write_text(path, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}). Make room or a way to it, or name"
            " another with service.new_intents."
        ) from None


def sentences_of(path: Path) -> list[str]:
    """Sentences of a text file, one a line.

    Raises:
        ContractError: it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read as UTF-8 text ({error}).") from None
    return [line.strip() for line in lines if line.strip()]


@dataclass(frozen=True)
class Bank:
    """Training rows of the model: unit vectors (N, W), and the label of each."""

    vectors: np.ndarray
    labels: np.ndarray

    @classmethod
    def read(cls, folder: Path) -> Bank:
        """Of an export."""
        table = pq.read_table(folder / BANK_FILE, columns=["label", "vector"])
        column = table.column("vector").combine_chunks()
        vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        return cls(unit(vectors), np.array(table.column("label").to_pylist(), dtype=object))

    def prototypes(self) -> np.ndarray:
        """(L, W) unit means of the rows of each label; those without one are left out."""
        labels = sorted({label for label in self.labels if label is not None})
        return unit(np.stack([self.vectors[self.labels == one].mean(0) for one in labels]))


class NewIntents:
    """Tells added intents by the nearest class prototype (Snell, Swersky and Zemel 2017, arXiv
    1703.05175), by cosine. An added one has to be nearer than the nearest learnt one by a margin,
    which all but `TAKEN` of the training rows keep.

    Args:
        vectors: (N, W) of the sentences of each added intent.
        bank: of the model.

    Attributes:
        counts: of the sentences of each.
    """

    def __init__(self, vectors: Mapping[str, np.ndarray], bank: Bank) -> None:
        self.names = list(vectors)
        self.counts = {name: len(one) for name, one in vectors.items()}
        if self.names:
            self._learnt = bank.prototypes()
            self._added = unit(np.stack([unit(one).mean(0) for one in vectors.values()]))
            self._margin = float(np.quantile(self._lead(bank.vectors), 1.0 - TAKEN))

    def match(self, vector: np.ndarray) -> str | None:
        """The added intent of a message with the vector (W,), if it has one."""
        if not self.names:
            return None
        one = unit(vector[None])
        if self._lead(one)[0] <= self._margin:
            return None
        return self.names[int(np.argmax(one @ self._added.T))]

    def _lead(self, vectors: np.ndarray) -> np.ndarray:
        """(N,) by how much the nearest added prototype is nearer than the nearest learnt one."""
        return np.asarray((vectors @ self._added.T).max(1) - (vectors @ self._learnt.T).max(1))
