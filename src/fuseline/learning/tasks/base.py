"""What every task gives: labels of cells, a head, losses, scores.

Shapes: N rows, B rows of a batch, C classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from fuseline.data.dataset import LABELS, Batch, MultimodalData

if TYPE_CHECKING:
    # For types alone: a stage is not tied to sections that it does not read.
    from fuseline.params.evaluate import EvaluateParams
    from fuseline.params.finetune import FinetuneParams
    from fuseline.params.ingest import TargetKind

Facts = dict[str, Any]


@dataclass(frozen=True)
class Cells:
    """A target's cells, and what is needed to make labels of them.

    Attributes:
        values: N cells as `ingest` spells them, None where a row has none.
        texts: N texts, None where a row has none.
        data: the same N rows.
        tokenizer: of their tokens.
        where: names the table, for messages.
        langs: the languages that N rows name, None where one names none; empty if unknown.
    """

    values: Sequence[str | None]
    texts: Sequence[str | None]
    data: MultimodalData
    tokenizer: PreTrainedTokenizerFast
    where: str
    langs: Sequence[str | None] = ()

    @property
    def known(self) -> list[str]:
        """The cells that are there."""
        return [value for value in self.values if value is not None]


@dataclass(frozen=True)
class Decoded:
    """Texts that a model wrote, the references beside them ("" where a row has none), and figures
    of the rows that have one."""

    texts: list[str]
    references: list[str]
    scores: dict[str, float]


class Labelled(Protocol):
    """Rows with labels."""

    def labels_of(self, key: str) -> np.ndarray: ...


class Task(ABC):
    """One thing to learn.

    Labels are an array of N rows, found under `key` in the data and in every batch. What a model's
    head gives for a batch are its logits; `outputs` makes of them what is kept of every row.

    Args:
        name: of the task, its target's.
        facts: what `learn` gave, as the model's configuration holds it.
        key: of its labels: `labels` for the first task of a model.
    """

    kind: ClassVar[str]
    # What the target may hold; none for a task without one.
    target_kinds: ClassVar[tuple[TargetKind, ...]]
    selection_metric: ClassVar[str]
    greater_is_better: ClassVar[bool] = True
    # Whether a row's loss is the same whatever the other rows of its batch.
    rows_stand_alone: ClassVar[bool] = True
    # Whether it learns from people's events with the rows, and not from the rows' own cells.
    rows_are_events: ClassVar[bool] = False

    def __init__(self, name: str, facts: Facts, key: str = LABELS) -> None:
        self.name = name
        self.facts = facts
        self.key = key

    @property
    def label_names(self) -> list[str]:
        """Names of the classes, if the task has any."""
        names: list[str] = self.facts.get("labels", [])
        return names

    @property
    def picked_by(self) -> str:
        """The score that picks the epoch: `selection_metric`, unless the facts ask for another."""
        return self.selection_metric

    @classmethod
    @abstractmethod
    def learn(cls, cells: Cells) -> Facts:
        """What must be known of the target before its labels can be made: JSON.

        Raises:
            ContractError: nothing can be learnt from these cells.
        """

    @classmethod
    def settings(cls, params: FinetuneParams, cells: Cells) -> Facts:
        """What the section says of tasks of this kind, and what follows from it for these cells,
        to stand among the facts.

        Raises:
            ContractError: what it asks for cannot be learnt from them.
        """
        del params, cells
        return {}

    @property
    @abstractmethod
    def head(self) -> Facts:
        """`kind` among those of `learning/model/heads.py`, and what that kind needs."""

    @abstractmethod
    def labels(self, cells: Cells) -> np.ndarray:
        """Labels (N, ...); rows without a cell are those that `has_label` denies.

        Raises:
            ContractError: a cell that does not fit the facts.
        """

    def further_inputs(self, cells: Cells) -> dict[str, np.ndarray]:
        """What else the head reads of each row, (N, ...) by the key in a batch."""
        del cells
        return {}

    @abstractmethod
    def has_label(self, labels: np.ndarray) -> np.ndarray:
        """(N,) bool."""

    def own_rows(self, data: Labelled) -> np.ndarray:
        """Numbers of the rows that have a label of this task: others may be there for others."""
        return np.flatnonzero(self.has_label(data.labels_of(self.key)))

    @abstractmethod
    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        """Losses (B,), 0 for a row without a label; also what attacks climb."""

    def training_losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        """Losses (B,) as training minimises them: those of a task may weigh rows, or tell rare
        labels apart from common ones, where attacks, scores and certainties do not."""
        return self.losses(logits, batch, smoothing=smoothing)

    def row_weights(self, batch: Batch) -> Tensor | None:
        """(B,) how much rows count in training, 1 on average; None where all count the same."""
        del batch
        return None

    def counting(self, labels: np.ndarray) -> np.ndarray:
        """(N,) how much rows that are right count where epochs are told apart, 1 on average, of
        their labels (N, ...)."""
        return np.ones(len(labels))

    def draws(self, labels: np.ndarray) -> np.ndarray | None:
        """(N,) how often training rows come in an epoch, 1 on average, of their labels (N, ...);
        None where each comes once."""
        del labels
        return None

    @abstractmethod
    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """(B,) how far logits lie from a target's, 0 where they are the same and never below; the
        gradient flows to both unless the target is detached."""

    @abstractmethod
    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """(B,) bool: rows that the model gets right, False without a label."""

    def one_answer_right(self, labels: np.ndarray) -> float:
        """Largest share of rows that one answer, the same for all of them, gets right.

        Args:
            labels: (N, ...) of at least one row; all of them have a label.
        """
        _, counts = np.unique(labels, axis=0, return_counts=True)
        return float(counts.max() / len(labels))

    def outputs(self, logits: Tensor, batch: Batch) -> Tensor:
        """What is kept of each row, (B, ...) of one shape whatever the batch."""
        del batch
        return logits

    @abstractmethod
    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """Figures of the rows that have a label, finite also where none has, the selection metric
        among them."""

    def report(self, outputs: np.ndarray, data: MultimodalData) -> str:
        """The scores in words, for the terminal."""
        return "\n".join(f"{k:<32}{v:.4f}" for k, v in self.scores(outputs, data).items())

    def spelt(self, outputs: np.ndarray, data: MultimodalData) -> tuple[list[str], list[str]]:
        """Labels and predictions of all rows as text; of a row without a label that is ""."""
        del data
        return [""] * len(outputs), [""] * len(outputs)

    def decode(
        self, model: Any, index: int, cells: Cells, params: EvaluateParams, seed: int
    ) -> Decoded | None:
        """What the model writes where it is not given the labels; None for a task without texts.

        Args:
            model: in evaluation mode.
            index: of the task among the model's.
            cells: of the task's target, with the rows to decode.
            params: how.
            seed: of whatever is drawn.
        """
        del model, index, cells, params, seed
        return None

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """(N, K) float32 numbers behind the predictions; K may be 0."""
        return np.zeros((len(outputs), 0), dtype=np.float32)
