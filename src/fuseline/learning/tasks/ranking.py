"""Clicks or ratings: which of a user's rows should come first. A row's user is its `group`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import ndcg_score, roc_auc_score
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import Batch, MultimodalData
from fuseline.learning.tasks.base import Cells, Facts, Task
from fuseline.learning.tasks.divergences import bernoulli
from fuseline.learning.tasks.numbers import numbers, training_numbers

TOP = 10


class Ranking(Task):
    """Binary cross-entropy with the rating, scaled to between 0 and 1, as a soft target (pointwise,
    as click models do: Cheng et al. 2016, arXiv 1606.07792); clicks are ratings of 0 and 1.

    Logits are (B, 1); outputs are (B,) in [0, 1].
    """

    kind = "ranking"
    target_kinds = ("number",)
    selection_metric = "auc"

    @classmethod
    def learn(cls, cells: Cells) -> Facts:
        """`low` and `high` of the training rows."""
        known = training_numbers(cells)
        return {"low": float(known.min()), "high": float(known.max())}

    @property
    def head(self) -> Facts:
        return {"kind": "pooled", "size": 1}

    def labels(self, cells: Cells) -> np.ndarray:
        """(N,) float32 in [0, 1]; what lies beyond the training rows' range is cut."""
        low, high = self.facts["low"], self.facts["high"]
        scaled = (numbers(cells) - low) / (high - low)
        return np.asarray(np.clip(scaled, 0.0, 1.0), dtype=np.float32)

    def has_label(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(np.isfinite(labels))

    def losses(self, logits: Tensor, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
        labels = batch[self.key]
        known = labels.isfinite()
        soft = labels.nan_to_num() * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(
            logits.squeeze(-1), soft, reduction="none"
        )
        return losses * known

    def divergence(self, logits: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Of the place in the range, read as a probability."""
        del batch
        return bernoulli(logits, target).squeeze(-1)

    def right(self, logits: Tensor, batch: Batch) -> Tensor:
        """On the right side of the middle of the range."""
        labels = batch[self.key]
        return ((logits.squeeze(-1) > 0) == (labels > 0.5)) & labels.isfinite()

    def one_answer_right(self, labels: np.ndarray) -> float:
        above = float(np.mean(labels > 0.5))
        return max(above, 1 - above)

    def outputs(self, logits: Tensor, batch: Batch) -> Tensor:
        del batch
        return logits.squeeze(-1).sigmoid()

    def scores(self, outputs: np.ndarray, data: MultimodalData) -> dict[str, float]:
        """Over all rows `auc` (upper against lower half of the range); `user_auc` and `ndcg_at_10`
        are means over the users that have rows of both halves, or rows that differ, and
        `num_users` counts the latter. Where nothing can be told apart, AUC is 0.5 and NDCG 0.
        """
        labels, users = data.labels_of(self.key), data.groups
        known = np.isfinite(labels)
        by_user = list(_by_user(labels[known], outputs[known], users[known]))
        differing = [pair for pair in by_user if len(np.unique(pair[0])) > 1]
        aucs = [auc for pair in differing if (auc := _auc(*pair)) is not None]
        gains = [ndcg_score(rated[None], found[None], k=TOP) for rated, found in differing]
        whole = _auc(labels[known], outputs[known])
        return {
            "auc": 0.5 if whole is None else whole,
            "user_auc": float(np.mean(aucs)) if aucs else 0.5,
            "ndcg_at_10": float(np.mean(gains)) if gains else 0.0,
            "num_users": float(len(differing)),
        }

    def spelt(self, outputs: np.ndarray, data: MultimodalData) -> tuple[list[str], list[str]]:
        labels = data.labels_of(self.key)
        spelt = [
            f"{y:.6g}" if has else "" for y, has in zip(labels, np.isfinite(labels), strict=True)
        ]
        return spelt, [f"{y:.6g}" for y in outputs]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, None].astype(np.float32)


def _by_user(
    labels: np.ndarray, outputs: np.ndarray, users: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    order = np.argsort(users, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(users[order])) + 1):
        yield labels[rows], outputs[rows]


def _auc(labels: np.ndarray, outputs: np.ndarray) -> float | None:
    """None without rows of both halves."""
    upper = labels > 0.5
    return float(roc_auc_score(upper, outputs)) if 0 < upper.sum() < len(upper) else None
