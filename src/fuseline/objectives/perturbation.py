"""Where a batch can be perturbed: word embeddings and cached features.

Word embeddings are perturbed before position and token-type embeddings are added, so that a
zero delta reproduces the `input_ids` forward to the last bit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Batch = dict[str, Tensor]

TEXT_SPACE = "text_embedding"
FEATURE_SUFFIX = "_feature"


class Perturbable:
    """The perturbable tensors of one batch.

    Args:
        model: a Fuseline model (for its word embeddings and special token ids).
        batch: `input_ids` (B, T), `attention_mask`, `text_mask` (B,), `<modality>_features`
            (B, P, D), `<modality>_mask` (B,).
        spaces: names among `text_embedding` and `<modality>_feature`; a space whose modality
            the batch lacks is left out.
    """

    def __init__(self, model: Any, batch: Batch, spaces: list[str]) -> None:
        self._batch = batch
        self._clean: dict[str, Tensor] = {}
        self._masks: dict[str, Tensor] = {}
        for space in spaces:
            if space == TEXT_SPACE:
                if "input_ids" in batch:
                    self._add_text(model, batch)
            else:
                self._add_features(space, batch)

    def start(self) -> dict[str, Tensor]:
        """Zero deltas by space, (B, T, D)."""
        return {space: torch.zeros_like(clean) for space, clean in self._clean.items()}

    def masks(self) -> dict[str, Tensor]:
        """(B, T) bool by space: padding, special tokens and absent modalities never move."""
        return self._masks

    def inputs(self, deltas: dict[str, Tensor]) -> Batch:
        """Keyword arguments for the model, perturbed by `deltas`."""
        inputs = dict(self._batch)
        for space, delta in deltas.items():
            perturbed = self._clean[space] + delta
            if space == TEXT_SPACE:
                inputs["inputs_embeds"] = perturbed
            else:
                inputs[_features_key(space)] = perturbed
        return inputs

    def _add_text(self, model: Any, batch: Batch) -> None:
        with torch.no_grad():
            self._clean[TEXT_SPACE] = model.get_input_embeddings()(batch["input_ids"])
        special = torch.tensor(model.config.special_token_ids)
        movable = batch["attention_mask"].bool() & ~torch.isin(batch["input_ids"], special)
        self._masks[TEXT_SPACE] = movable & batch["text_mask"].unsqueeze(-1)

    def _add_features(self, space: str, batch: Batch) -> None:
        key = _features_key(space)
        if key not in batch:
            return
        self._clean[space] = batch[key].detach()
        modality = space.removesuffix(FEATURE_SUFFIX)
        positions = batch[key].shape[1]
        self._masks[space] = batch[f"{modality}_mask"].unsqueeze(-1).expand(-1, positions)


def _features_key(space: str) -> str:
    return f"{space.removesuffix(FEATURE_SUFFIX)}_features"
