"""Single-label classification."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, classification_report, f1_score
from torch import Tensor
from torch.nn import functional


class Classification:
    """One of C labels; cross-entropy, chosen by macro-F1.

    Args:
        label_names: C names.
    """

    selection_metric = "macro_f1"

    def __init__(self, label_names: list[str]) -> None:
        self.label_names = label_names

    def losses(self, logits: Tensor, labels: Tensor, *, smoothing: float = 0.0) -> Tensor:
        """Cross-entropy (B,) of logits (B, C)."""
        return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)

    def metrics(self, predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Accuracy, and macro-F1 over the labels that occur or are predicted."""
        return {
            "accuracy": float(accuracy_score(labels, predictions)),
            "macro_f1": float(f1_score(labels, predictions, average="macro", zero_division=0)),
        }

    def report(self, predictions: np.ndarray, labels: np.ndarray) -> str:
        """scikit-learn's `classification_report` over all labels."""
        text: Any = classification_report(
            labels,
            predictions,
            labels=range(len(self.label_names)),
            target_names=self.label_names,
            zero_division=0,
        )
        return str(text)
