"""Learnt context vectors in front of the class names (CoOp: Zhou et al. 2021, arXiv 2109.01134;
continuous prompts after P-tuning, Liu et al. 2021, arXiv 2103.10385)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fuseline.data.dataset import pad
from fuseline.learning.prompting.base import Material, above_zero
from fuseline.learning.prompting.fitting import check_finite
from fuseline.learning.prompting.vectors import (
    ClassVectors,
    class_vectors,
    longest_text,
    text_vectors,
)
from fuseline.learning.prompting.words import plain_ids
from fuseline.params.prompt import PromptParams, SoftPromptParams
from fuseline.pipeline.precision import autocast

NOISE = 0.02


class SoftPrompt:
    """Only the context moves; the model and the vectors of the rows are frozen.

    A class is read as start token, n context vectors, the pieces of its name, separator. Deviation
    from the paper: the context starts as words, and the vectors are compared where class prompts
    are (`ClassVectors`).
    """

    variants: ClassVar[tuple[str, ...]] = ("soft_prompt",)
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
        material, params = self.material, self.material.params
        prompt = ContextPrompt(
            material.model, material.tokenizer, material.words.names(), params.soft_prompt
        )
        labels = torch.from_numpy(material.data.labels[rows])
        shots = material.row_vectors.take(rows)
        optimizer = torch.optim.Adam([prompt.context], lr=params.soft_prompt.learning_rate)
        for _ in range(params.soft_prompt.num_steps):
            with autocast(material.base.precision):
                classes = prompt.classes(material.model)
            similarities = classes.similarities(shots, params.class_prompts)
            loss = functional.cross_entropy(params.class_prompts.logit_scale * similarities, labels)
            check_finite(loss, "prompt.soft_prompt.learning_rate")
            # Gradients of the context alone: the model's parameters take none.
            (prompt.context.grad,) = torch.autograd.grad(loss, [prompt.context])
            optimizer.step()
        with torch.no_grad():
            classes = prompt.classes(material.model)
            found = classes.similarities(material.test_vectors, params.class_prompts)
        return {"soft_prompt": found.numpy()}


class ContextPrompt(nn.Module):
    """Prompts of C class names with learnt context.

    Args:
        model: pre-trained; gives the word embeddings, of D columns.
        tokenizer: of the model.
        names: C phrases; what is longer than the model reads loses its tail.
        params: number of context vectors and what they start as.

    Attributes:
        context: (1 or C, n, D), the only parameter.
    """

    def __init__(
        self, model: Any, tokenizer: Any, names: Sequence[str], params: SoftPromptParams
    ) -> None:
        super().__init__()
        special = model.config.special_tokens
        embeddings = model.get_input_embeddings()
        room = longest_text(model) - params.num_tokens - 2
        pieces = [plain_ids(tokenizer, name)[:room] for name in names]
        blank = [special["pad"]] * params.num_tokens
        ids, self.attention_mask = pad(
            [np.array([special["cls"], *blank, *of, special["sep"]]) for of in pieces],
            special["pad"],
        )
        with torch.no_grad():
            self.embedded = embeddings(ids).clone()
            start = torch.randn(params.num_tokens, self.embedded.shape[-1]) * NOISE
            first = plain_ids(tokenizer, params.initial_context)[: params.num_tokens]
            if first:
                start[: len(first)] = embeddings(torch.tensor(first))
        copies = len(names) if params.class_specific else 1
        self.context = nn.Parameter(start.repeat(copies, 1, 1))

    def classes(self, model: Any) -> ClassVectors:
        """Class vectors of the prompts as they are now."""
        plain, shared = text_vectors(
            model, inputs_embeds=self.inputs_embeds(), attention_mask=self.attention_mask
        )
        return class_vectors(model, plain, shared)

    def inputs_embeds(self) -> Tensor:
        """(C, T, D) word embeddings, the context in its place."""
        count = self.context.shape[1]
        context = self.context.expand(len(self.embedded), -1, -1)
        return torch.cat([self.embedded[:, :1], context, self.embedded[:, 1 + count :]], dim=1)
