"""The cheapest rival: logistic regression over the frozen vectors of the same shots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from fuseline.learning.prompting.base import Material, above_zero
from fuseline.learning.prompting.vectors import RowVectors
from fuseline.params.prompt import PromptParams

# Vectors have length one, so the penalty must be weak to be felt little.
STRENGTH = 10.0
MAX_ITERATIONS = 1000
NEVER = -1e9


class Probe:
    """Sees the unit vectors of all modalities side by side, zeros for absent ones."""

    variants: ClassVar[tuple[str, ...]] = ("probe",)
    needs_words: ClassVar[bool] = False

    def __init__(self, material: Material) -> None:
        self.material = material

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return len(modalities) > 0

    @staticmethod
    def shots(params: PromptParams) -> list[int]:
        return above_zero(params)

    def scores(self, rows: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        del seed
        labels = self.material.data.labels[rows]
        test = _side_by_side(self.material.test_vectors)
        # A label without any shot is never guessed.
        scores = np.full((len(test), len(self.material.data.label_names)), NEVER)
        with threadpool_limits(limits=1):
            model = LogisticRegression(C=STRENGTH, max_iter=MAX_ITERATIONS)
            model.fit(_side_by_side(self.material.row_vectors.take(rows)), labels)
            scores[:, model.classes_] = model.predict_log_proba(test)
        return {"probe": scores}


def _side_by_side(vectors: RowVectors) -> np.ndarray:
    blocks = [vectors.unimodal[name] for name in sorted(vectors.unimodal)]
    return np.asarray(torch.cat(blocks, dim=1).numpy())
