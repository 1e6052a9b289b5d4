"""Frozen vectors of rows and of class prompts, and how alike they are.

Shapes: N rows, C classes, W common width, S contrastive size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import MultimodalData
from fuseline.data.padding import WIDEST_STEP
from fuseline.learning.model import fusion
from fuseline.learning.model.passes import length_batches
from fuseline.params.prompt import ClassPromptParams
from fuseline.pipeline.precision import Precision, autocast

BATCH = 128
LONGEST = 512


@dataclass(frozen=True)
class RowVectors:
    """Unit vectors of rows, zeros where a row lacks the modality: it then says nothing.

    Attributes:
        unimodal: by modality, (N, W) before fusion.
        contrastive: by modality, (N, S) in the space that the modalities share.
    """

    unimodal: dict[str, Tensor]
    contrastive: dict[str, Tensor]

    def take(self, rows: np.ndarray) -> RowVectors:
        """Rows by index."""
        return RowVectors(
            {name: vectors[rows] for name, vectors in self.unimodal.items()},
            {name: vectors[rows] for name, vectors in self.contrastive.items()},
        )


@dataclass(frozen=True)
class ClassVectors:
    """What rows are compared with.

    Attributes:
        text: (C, W) for a row's text. Text meets text before fusion, where the sentence encoder
            put them; the contrastive space never compared two texts.
        media: by modality, (C, S) for a row's medium in the contrastive space.
    """

    text: Tensor
    media: dict[str, Tensor]

    def similarities(self, rows: RowVectors, params: ClassPromptParams, over: str = "") -> Tensor:
        """(N, C), over what `params.over` says unless `over` does."""
        over = over or params.over
        text = rows.unimodal["text"] @ self.text.T
        if over == "text":
            return text
        media = self._media(rows, text)
        return media if over == "media" else text + params.media_weight * media

    def _media(self, rows: RowVectors, like: Tensor) -> Tensor:
        """Mean over the media that a row has; zeros for none."""
        total, count = torch.zeros_like(like), torch.zeros(len(like), 1)
        for name, vectors in self.media.items():
            total = total + rows.contrastive[name] @ vectors.T
            count = count + rows.contrastive[name].any(1, keepdim=True)
        return total / count.clamp(min=1)


def encode_rows(model: Any, data: MultimodalData, precision: Precision) -> RowVectors:
    """Vectors of all rows, by a model in evaluation mode."""
    names = model.config.modalities
    unimodal: dict[str, list[Tensor]] = {name: [] for name in names}
    contrastive: dict[str, list[Tensor]] = {name: [] for name in names}
    places = []
    for rows in length_batches(data, np.arange(len(data)), BATCH):
        with torch.no_grad(), autocast(precision):
            output = model(**data.batch(rows))
        places.append(rows)
        for name in names:
            here = torch.from_numpy(data.present(name)[rows]).unsqueeze(1)
            plain = functional.normalize(output.unimodal[name].float(), dim=-1)
            unimodal[name].append(plain * here)
            with torch.no_grad():
                contrastive[name].append(model.contrastive_vectors(output, name) * here)
    order = torch.from_numpy(np.argsort(np.concatenate(places)))
    return RowVectors(
        {name: torch.cat(parts)[order] for name, parts in unimodal.items()},
        {name: torch.cat(parts)[order] for name, parts in contrastive.items()},
    )


def longest_text(model: Any) -> int:
    """Tokens of the longest text that a batch of the model can hold."""
    positions = model.config.text_config.get("max_position_embeddings", LONGEST)
    # RoBERTa's first two are never used; a batch is padded up to the multiple.
    return int((min(positions, LONGEST) - 2) // WIDEST_STEP * WIDEST_STEP)


def encode_prompts(
    model: Any, tokenizer: Any, phrases: Sequence[Sequence[str]], templates: Sequence[str]
) -> ClassVectors:
    """Mean over templates and phrases of the unit vectors of a class's prompts, a unit vector
    again (CLIP's prompt ensemble: Radford et al. 2021, arXiv 2103.00020, section 3.1.4). A prompt
    that is longer than the model reads loses its tail."""
    texts = [[t.replace("{label}", p) for t in templates for p in of] for of in phrases]
    encoded = tokenizer(
        [text for of in texts for text in of],
        padding=True,
        truncation=True,
        max_length=longest_text(model),
        return_tensors="pt",
    )
    with torch.no_grad():
        plain, shared = text_vectors(
            model, input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
        )
    sizes = [len(of) for of in texts]
    return class_vectors(model, _means(plain, sizes), _means(shared, sizes))


def text_vectors(model: Any, attention_mask: Tensor, **words: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors of texts alone: (N, W) before fusion, (N, S) in the contrastive space.

    As the backbone's `unimodal`, but nothing is fused: that takes most of a pass over a few short
    prompts.

    Args:
        model: pre-trained.
        attention_mask: (N, T).
        words: `input_ids` (N, T) or `inputs_embeds` (N, T, D).
    """
    backbone = model.fuseline
    states = backbone.text_encoder(attention_mask=attention_mask, **words).last_hidden_state
    present = torch.ones(len(states), dtype=torch.bool)
    given = fusion.Sequence(states, attention_mask.bool())
    mean = backbone.embeddings["text"](given, present).mean().float()
    shared = model.contrastive_heads["text"](mean).float()
    return functional.normalize(mean, dim=-1), functional.normalize(shared, dim=-1)


def class_vectors(model: Any, plain: Tensor, shared: Tensor) -> ClassVectors:
    """Class vectors with the same `shared` (C, S) for every medium of the model."""
    media = [name for name in model.config.modalities if name != "text"]
    return ClassVectors(plain, dict.fromkeys(media, shared))


def _means(vectors: Tensor, sizes: list[int]) -> Tensor:
    means = [part.mean(0) for part in torch.split(vectors, sizes)]
    return functional.normalize(torch.stack(means), dim=-1)
