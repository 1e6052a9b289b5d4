"""Masked language modelling (BERT: Devlin et al. 2019, arXiv 1810.04805)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import Batch
from fuseline.errors import ConfigError
from fuseline.learning.objectives.base import ObjectiveOutput, mean_or_zero
from fuseline.learning.objectives.masking import MASKINGS, Choice, own_columns, words_of
from fuseline.params.pretrain import ObjectiveParams


class MaskedLanguageModelling:
    """Guess masked tokens from the other tokens and the other modalities.

    Of the chosen tokens (with spans: of the spans) 80 % become the mask token, 10 % a random one,
    10 % stay. Deviation: at least one token of every text is chosen, since short texts would else
    often lose none. Vocabulary logits are computed at the chosen positions only.

    Raises:
        ConfigError: whole words are asked for, but the pieces do not tell them.
    """

    def __init__(self, params: ObjectiveParams, continues_word: Tensor | None) -> None:
        self.share = params.mlm_mask_share
        self.masking = MASKINGS[params.mlm_masking]
        if self.masking.whole_words and continues_word is None:
            raise ConfigError(
                f"pretrain.objectives.mlm_masking: '{params.mlm_masking}' needs to know where words"
                " begin, which the tokenizer of tokenize.encoder does not mark (it is neither"
                " WordPiece nor byte-level BPE nor SentencePiece). Choose 'token', or another"
                " encoder."
            )
        self.continues_word = continues_word

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return "text" in modalities

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        choice = self._choose(model, batch)
        corrupted = self._corrupt(model, batch["input_ids"], choice)
        output = model(**(batch | {"input_ids": corrupted}))
        logits = model.mlm_logits(output.states["text"][choice.chosen]).float()
        labels = batch["input_ids"][choice.chosen]
        losses = functional.cross_entropy(logits, labels, reduction="none")
        correct = (logits.argmax(-1) == labels).sum().item() if len(labels) else 0.0
        return ObjectiveOutput(mean_or_zero(losses, output.pooled), correct, len(labels))

    def _choose(self, model: Any, batch: Batch) -> Choice:
        special = torch.tensor(model.config.special_token_ids)
        maskable = batch["attention_mask"].bool() & ~torch.isin(batch["input_ids"], special)
        maskable &= batch["text_mask"].unsqueeze(1)
        return self.masking.choose(maskable, self._words(batch, maskable), self.share)

    def _words(self, batch: Batch, maskable: Tensor) -> Tensor:
        if not self.masking.whole_words or self.continues_word is None:
            return own_columns(maskable)
        return words_of(maskable, self.continues_word[batch["input_ids"]])

    def _corrupt(self, model: Any, input_ids: Tensor, choice: Choice) -> Tensor:
        draws = torch.rand(input_ids.shape).gather(1, choice.units)
        random_ids = torch.randint(0, model.mlm_bias.shape[0], input_ids.shape)
        corrupted = torch.where(
            choice.chosen & (draws < 0.8),
            torch.full_like(input_ids, model.config.special_tokens["mask"]),
            input_ids,
        )
        return torch.where(choice.chosen & (draws >= 0.9), random_ids, corrupted)
