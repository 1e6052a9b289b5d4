"""Image–text matching (UNITER: Chen et al. 2020, arXiv 1909.11740), for any medium."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import Batch
from fuseline.learning.objectives.base import ObjectiveOutput, mean_or_zero, presence
from fuseline.learning.objectives.matching import contrastive_scale, draw_negative, mismatched
from fuseline.params.pretrain import ObjectiveParams


class ImageTextMatching:
    """Does the picture belong to the text? Half of the rows get the picture of another group.

    Deviation: where rows have other media too, each batch asks about one of them, drawn evenly
    among those that a row has beside its text.

    With `hard` negatives (ALBEF: Li et al. 2021, arXiv 2107.07651) another group's picture is
    drawn in proportion to the softmax of its contrastive similarity to the text, not evenly. The
    vectors come from a forward pass of their own, without gradients and counted in `passes`: a
    batch costs two forward passes and a backward one, about a third more than with `random` ones.
    Deviation: ALBEF also draws texts for pictures. Losses of the two kinds do not compare: hard
    negatives are harder on the development rows too.
    """

    def __init__(self, params: ObjectiveParams, continues_word: Tensor | None) -> None:
        del continues_word
        self.hard = params.itm_negatives == "hard"

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return "text" in modalities and len(modalities) > 1

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        name = _drawn_modality(batch)
        present = batch[f"{name}_mask"]
        rows = torch.arange(len(batch["groups"]))
        allowed = mismatched(batch) & present.unsqueeze(0)
        similarities = _similarities(model, batch, name) if self.hard else None
        other, has_other = draw_negative(allowed, similarities)
        negative = (torch.rand(len(rows)) < 0.5) & has_other
        source = torch.where(negative, other, rows)
        key = f"{name}_features"
        output = model(**(batch | {key: batch[key][source]}))
        whole = present & batch["text_mask"]
        labels = negative.long()[whole]
        logits = model.itm_head(output.pooled[whole]).float()
        losses = functional.cross_entropy(logits, labels, reduction="none")
        correct = (logits.argmax(-1) == labels).sum().item()
        return ObjectiveOutput(
            mean_or_zero(losses, output.pooled),
            correct,
            len(labels),
            passes={"forward": 1} if self.hard else {},
        )


@torch.no_grad()
def _similarities(model: Any, batch: Batch, name: str) -> Tensor:
    """(B, B) scaled contrastive similarities of texts to one medium."""
    output = model(**batch)
    texts, media = (model.contrastive_vectors(output, modality) for modality in ("text", name))
    scaled: Tensor = contrastive_scale(model) * texts @ media.T
    return scaled


def _drawn_modality(batch: Batch) -> str:
    """A modality beside the text that any row has together with text."""
    present = presence(batch)
    text = present.pop("text")
    names = [name for name, mask in present.items() if (mask & text).any()] or list(present)
    return names[int(torch.randint(len(names), ()))] if len(names) > 1 else names[0]
