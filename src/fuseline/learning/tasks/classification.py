"""Single-label classification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.metrics import classification_report
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import NO_LABEL, Batch, MultimodalData
from fuseline.errors import ContractError
from fuseline.learning.probabilities import softmax
from fuseline.learning.tasks.base import Cells, Facts, Task
from fuseline.learning.tasks.divergences import categorical
from fuseline.learning.tasks.imbalance import DRAWS, LOG_PRIORS, WEIGHTS, balance
from fuseline.learning.tasks.scores import scores

if TYPE_CHECKING:
    # For types alone: a stage is not tied to sections that it does not read.
    from fuseline.params.finetune import FinetuneParams

BALANCED_ACCURACY = "balanced_accuracy"
# More do not fit a screen, epoch after epoch; the metrics have each label's figures.
MAX_REPORTED_LABELS = 20


class Classification(Task):
    """One of C labels; cross-entropy, chosen by macro-F1; where rare labels are to be learnt as
    well as common ones, by the mean recall of the labels."""

    kind = "classification"
    target_kinds = ("category",)
    selection_metric = "macro_f1"

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`labels`, the C names in order."""
        names = sorted(set(cells.known))
        if len(names) < 2:
            raise ContractError(
                f"{cells.where}: expected at least two labels to tell apart, found {len(names)}."
                " Map a column that has more, such as `ingest.manifest.columns.label`."
            )
        return {"labels": names}

    @property
    def picked_by(self) -> str:
        return BALANCED_ACCURACY if self._is_balanced else self.selection_metric

    @property
    def _is_balanced(self) -> bool:
        return not {WEIGHTS, LOG_PRIORS, DRAWS}.isdisjoint(self.facts)

    @classmethod
    def settings(cls, params: FinetuneParams, cells: Cells) -> Facts:
        """What `finetune.class_weights` comes to for the training rows."""
        names = cls.learn(cells)["labels"]
        train = cells.data.splits == "train"
        training = [
            value
            for value, trained in zip(cells.values, train, strict=True)
            if trained and value is not None
        ]
        return balance(params.class_weights, names, training, cells.where)

    @property
    def head(self) -> Facts:
        return {"kind": "pooled", "size": len(self.label_names)}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N,) int64."""
        numbers = {name: index for index, name in enumerate(self.label_names)}
        labels = np.full(len(cells.values), NO_LABEL, dtype=np.int64)
        for row, value in enumerate(cells.values):
            if value is None:
                continue
            if value not in numbers:
                raise ContractError(
                    f"{cells.where}: row '{cells.data.example_ids[row]}' has label '{value}',"
                    f" which the model does not know (it knows {', '.join(self.label_names)})."
                    " Fine-tune again with `dvc repro`."
                )
            labels[row] = numbers[value]
        return labels

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(labels != NO_LABEL)

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        return functional.cross_entropy(
            logits,
            batch[self.key],
            reduction="none",
            label_smoothing=smoothing,
            ignore_index=NO_LABEL,
        )

    def training_losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        if LOG_PRIORS in self.facts:
            logits = logits + logits.new_tensor(self.facts[LOG_PRIORS])
        losses = self.losses(logits, batch, smoothing=smoothing)
        weights = self.row_weights(batch)
        return losses if weights is None else losses * weights

    def row_weights(self, batch: Batch) -> Tensor | None:
        """By the row's label, 1 without one."""
        if WEIGHTS not in self.facts:
            return None
        # Behind the labels' own lies that of no label.
        weights = torch.tensor([*self.facts[WEIGHTS], 1.0])
        labels = batch[self.key]
        return weights[torch.where(labels == NO_LABEL, len(weights) - 1, labels)]

    def counting(self, labels: np.ndarray) -> np.ndarray:
        """Each label as much as another, where rare ones are to be learnt as well."""
        if not self._is_balanced:
            return super().counting(labels)
        counts = np.bincount(labels, minlength=len(self.label_names))
        return np.asarray(len(labels) / ((counts > 0).sum() * counts[labels]))

    def draws(self, labels: np.ndarray) -> np.ndarray | None:
        if DRAWS not in self.facts:
            return None
        draws = np.array([*self.facts[DRAWS], 1.0])
        return draws[np.where(self.has_label(labels), labels, len(draws) - 1)]

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Kullback-Leibler divergence of the classes' probabilities."""
        del batch
        return categorical(logits, target)

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        return logits.argmax(-1) == batch[self.key]

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """Accuracy, and macro-F1 over the labels that occur; with what picks the epoch in place of
        macro-F1, that too; 0 without rows."""
        labels, predictions = self._known(outputs, data)
        names = dict.fromkeys(("accuracy", self.selection_metric, self.picked_by))
        if not len(labels):
            return dict.fromkeys(names, 0.0)
        found = scores(labels, predictions, len(self.label_names))
        found[BALANCED_ACCURACY] = float(np.mean(self.counting(labels) * (labels == predictions)))
        return {name: found[name] for name in names}

    def spelt(self, outputs: np.ndarray, data: MultimodalData) -> tuple[list[str], list[str]]:
        names = self.label_names
        labels, predictions = data.labels_of(self.key), outputs.argmax(-1)
        spelt = [names[label] if label != NO_LABEL else "" for label in labels]
        return spelt, [names[found] for found in predictions]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return softmax(outputs)

    def report(self, outputs: np.ndarray, data: MultimodalData) -> str:
        """scikit-learn's `classification_report` over the labels that occur, if there are few."""
        labels, predictions = self._known(outputs, data)
        if not len(labels) or len(self.label_names) > MAX_REPORTED_LABELS:
            return super().report(outputs, data)
        occurring = np.unique(labels)
        text: Any = classification_report(
            labels,
            predictions,
            labels=occurring,
            target_names=[self.label_names[label] for label in occurring],
            zero_division=0,
        )
        absent = [name for row, name in enumerate(self.label_names) if row not in occurring]
        return f"{text}\nwithout rows, so left out: {', '.join(absent)}" if absent else str(text)

    def _known(self, outputs: np.ndarray, data: MultimodalData) -> tuple[np.ndarray, np.ndarray]:
        """Labels and predictions (M,) of the rows that have a label."""
        own = self.own_rows(data)
        return data.labels_of(self.key)[own], outputs[own].argmax(-1)
