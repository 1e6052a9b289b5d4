"""A set of names as target."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import Batch, MultimodalData
from fuseline.errors import ContractError
from fuseline.learning.probabilities import sigmoid
from fuseline.learning.tasks.base import Cells, Facts, Task
from fuseline.learning.tasks.divergences import bernoulli
from fuseline.learning.tasks.scores import mean_f1


class Multilabel(Task):
    """Any number of C names; binary cross-entropy for each, told apart at probability one half.

    Outputs are logits (B, C).
    """

    kind = "multilabel"
    target_kinds = ("categories",)
    selection_metric = "macro_f1"

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`labels`, the names that training rows bear, in order."""
        is_train = cells.data.splits == "train"
        names = {
            name
            for value, train in zip(cells.values, is_train, strict=True)
            if train and value is not None
            for name in json.loads(value)
        }
        if not names:
            raise ContractError(
                f"{cells.where}: expected training rows with some of several names, found none."
                " Choose another target."
            )
        return {"labels": sorted(names)}

    @property
    def head(self) -> Facts:
        return {"kind": "pooled", "size": len(self.label_names)}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N, C) float32 of 0 and 1, not a number where there is no cell. A name that no training
        row bears cannot be predicted and is left out."""
        numbers = {name: index for index, name in enumerate(self.label_names)}
        labels = np.full((len(cells.values), len(numbers)), np.nan, dtype=np.float32)
        for row, value in enumerate(cells.values):
            if value is not None:
                labels[row] = 0.0
                labels[row, [numbers[name] for name in json.loads(value) if name in numbers]] = 1.0
        return labels

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(np.isfinite(labels[:, 0]))

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        labels = batch[self.key]
        soft = labels.nan_to_num() * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(logits, soft, reduction="none")
        return losses.mean(-1) * labels[:, 0].isfinite()

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Mean over the names, each a yes or no of its own."""
        del batch
        return bernoulli(logits, target).mean(-1)

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """The very set."""
        return ((logits > 0) == (batch[self.key] == 1)).all(-1) & batch[self.key][:, 0].isfinite()

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """F1 over all pairs and averaged over the names that occur, mean average precision
        over these, and the share of rows whose set is right; 0 where
        there is nothing to average."""
        own = self.own_rows(data)
        outputs, actual = outputs[own], data.labels_of(self.key)[own] == 1
        found = outputs > 0
        # By hand: of a single column scikit-learn would score the rows without the name as well.
        hits, predicted, occurring = (actual & found).sum(0), found.sum(0), actual.sum(0)
        num_named = predicted.sum() + occurring.sum()
        precisions = [
            average_precision_score(actual[:, name], outputs[:, name])
            for name in np.flatnonzero(actual.any(0))
        ]
        return {
            "macro_f1": float(mean_f1(hits, predicted, occurring)),
            "micro_f1": float(2 * hits.sum() / max(1, num_named)),
            "mean_average_precision": _mean(precisions),
            "subset_accuracy": _mean((actual == found).all(1)),
        }

    def spelt(self, outputs: np.ndarray, data: MultimodalData) -> tuple[list[str], list[str]]:
        labels = data.labels_of(self.key)
        known = self.has_label(labels)
        spelt = [
            self._names(row == 1) if has else "" for row, has in zip(labels, known, strict=True)
        ]
        return spelt, [self._names(row > 0) for row in outputs]

    def _names(self, chosen: np.ndarray) -> str:
        names = [self.label_names[index] for index in np.flatnonzero(chosen)]
        return json.dumps(names, ensure_ascii=False)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return sigmoid(outputs)


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0
