"""Learnt residuals of the class prompts' vectors (TaskRes: Yu et al. 2022, arXiv 2211.10277)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fuseline.learning.prompting.base import Material, above_zero
from fuseline.learning.prompting.fitting import check_finite
from fuseline.learning.prompting.vectors import ClassVectors
from fuseline.params.prompt import PromptParams


class Residual:
    """Class vectors are the prompts' vectors plus residuals, which alone are trained, by
    cross-entropy over the class similarities of the shots.

    Deviation: the residuals start at zero and are pulled back to it by weight, where the paper
    scales them by a constant.
    """

    variants: ClassVar[tuple[str, ...]] = ("residual",)
    needs_words: ClassVar[bool] = True

    def __init__(self, material: Material) -> None:
        self.material = material

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return "text" in modalities

    @staticmethod
    def shots(params: PromptParams) -> list[int]:
        return above_zero(params)

    def scores(self, rows: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        del seed
        params = self.material.params
        labels = torch.from_numpy(self.material.data.labels[rows])
        shots = self.material.row_vectors.take(rows)
        prompts = self.material.prompts
        start = [prompts.text, *prompts.media.values()]
        residuals = [nn.Parameter(torch.zeros_like(vectors)) for vectors in start]
        optimizer = torch.optim.Adam(residuals, lr=params.residual.learning_rate)
        scale = params.class_prompts.logit_scale
        for _ in range(params.residual.num_steps):
            logits = scale * _moved(prompts, residuals).similarities(shots, params.class_prompts)
            length = sum(residual.square().sum() for residual in residuals) / len(prompts.text)
            loss = functional.cross_entropy(logits, labels) + params.residual.pull * length
            check_finite(loss, "prompt.residual.learning_rate")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            classes = _moved(prompts, residuals)
            test = self.material.test_vectors
            return {"residual": classes.similarities(test, params.class_prompts).numpy()}


def _moved(prompts: ClassVectors, residuals: Sequence[Tensor]) -> ClassVectors:
    media = zip(prompts.media.items(), residuals[1:], strict=True)
    return ClassVectors(
        prompts.text + residuals[0],
        {name: vectors + residual for (name, vectors), residual in media},
    )
