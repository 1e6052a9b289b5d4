"""A number as target."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import Tensor

from fuseline.data.dataset import Batch, MultimodalData
from fuseline.learning.tasks.base import Cells, Facts, Task
from fuseline.learning.tasks.numbers import numbers, training_numbers

# A row counts as right within so many standard deviations of the training rows' numbers.
TOLERANCE = 0.5


class Regression(Task):
    """Squared error of the number in standard deviations of the training rows.

    Logits are (B, 1) in those units; outputs and figures are in the target's own.
    """

    kind = "regression"
    target_kinds = ("number",)
    selection_metric = "rmse"
    greater_is_better = False

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`mean` and `deviation` of the training rows."""
        known = training_numbers(cells)
        return {"mean": float(known.mean()), "deviation": float(known.std())}

    @property
    def head(self) -> Facts:
        return {"kind": "pooled", "size": 1}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N,) float64."""
        return numbers(cells)

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(np.isfinite(labels))

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        del smoothing
        # Only a missing label makes a row worth nothing: a model that diverged must not look right.
        errors = self._errors(logits, batch)
        return torch.where(batch[self.key].isfinite(), errors, 0.0).square()

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Squared difference, in standard deviations."""
        del batch
        return (logits - target).squeeze(-1).square()

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """Within half a standard deviation of the training rows."""
        return self._errors(logits, batch).abs() <= TOLERANCE

    def one_answer_right(self, labels: np.ndarray) -> float:
        ordered = np.sort(labels)
        ends = np.searchsorted(ordered, ordered + 2 * TOLERANCE * self.facts["deviation"], "right")
        return float((ends - np.arange(len(ordered))).max() / len(ordered))

    def _errors(self, logits: Tensor, batch: Batch) -> Tensor:
        """(B,) in standard deviations."""
        wanted = (batch[self.key] - self.facts["mean"]) / self.facts["deviation"]
        errors: Tensor = logits.squeeze(-1) - wanted.to(logits.dtype)
        return errors

    def outputs(self, logits: Tensor, batch: Batch) -> Tensor:
        """(B,) float64 in the target's units."""
        del batch
        values: Tensor = logits.squeeze(-1).double() * self.facts["deviation"] + self.facts["mean"]
        return values

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """Root mean squared and mean absolute error in the target's units, and R², which a single
        row does not have; zeros without rows."""
        own = self.own_rows(data)
        pair = data.labels_of(self.key)[own], outputs[own]
        if not len(own):
            return {"rmse": 0.0, "mae": 0.0, "r2": 0.0}
        return {
            "rmse": float(root_mean_squared_error(*pair)),
            "mae": float(mean_absolute_error(*pair)),
            "r2": float(r2_score(*pair)) if len(own) > 1 else 0.0,
        }

    def spelt(self, outputs: np.ndarray, data: MultimodalData) -> tuple[list[str], list[str]]:
        labels = data.labels_of(self.key)
        spelt = [
            f"{y:.15g}" if has else "" for y, has in zip(labels, np.isfinite(labels), strict=True)
        ]
        return spelt, [f"{y:.9g}" for y in outputs]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, None].astype(np.float32)
