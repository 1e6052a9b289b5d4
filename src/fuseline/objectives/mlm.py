"""Masked language modelling (BERT: Devlin et al. 2019, arXiv 1810.04805)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fuseline.objectives.base import Batch, ObjectiveOutput, mean_or_zero
from fuseline.params.pretrain import ObjectiveParams


class MaskedLanguageModelling:
    """Guess masked tokens from the other tokens and the other modalities.

    Of the chosen tokens 80 % become the mask token, 10 % a random one, 10 % stay. Deviation: at
    least one token of every text is chosen, since short texts would else often lose none.
    Vocabulary logits are computed at the chosen positions only.
    """

    def __init__(self, params: ObjectiveParams) -> None:
        self.share = params.mlm_mask_share

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return "text" in modalities

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        chosen = self._choose(model, batch)
        corrupted = self._corrupt(model, batch["input_ids"], chosen)
        output = model(**(batch | {"input_ids": corrupted}))
        logits = model.mlm_logits(output.states["text"][chosen]).float()
        labels = batch["input_ids"][chosen]
        losses = functional.cross_entropy(logits, labels, reduction="none")
        correct = (logits.argmax(-1) == labels).sum().item() if len(labels) else 0.0
        return ObjectiveOutput(mean_or_zero(losses, output.pooled), correct, len(labels))

    def _choose(self, model: Any, batch: Batch) -> Tensor:
        special = torch.tensor(model.config.special_token_ids)
        maskable = batch["attention_mask"].bool() & ~torch.isin(batch["input_ids"], special)
        maskable &= batch["text_mask"].unsqueeze(1)
        draws = torch.rand(maskable.shape).masked_fill(~maskable, 2.0)
        lowest = draws == draws.amin(dim=1, keepdim=True)
        return maskable & ((draws < self.share) | lowest)

    def _corrupt(self, model: Any, input_ids: Tensor, chosen: Tensor) -> Tensor:
        draws = torch.rand(chosen.shape)
        random_ids = torch.randint(0, model.mlm_bias.shape[0], chosen.shape)
        corrupted = torch.where(
            chosen & (draws < 0.8),
            torch.full_like(input_ids, model.config.special_tokens["mask"]),
            input_ids,
        )
        return torch.where(chosen & (draws >= 0.9), random_ids, corrupted)
