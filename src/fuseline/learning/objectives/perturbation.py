"""Where a batch can be perturbed: word embeddings, cached features, and pixels.

Word embeddings are perturbed before position and token-type embeddings are added, so that a
zero delta reproduces the `input_ids` forward to the last bit. Pixels are perturbed in front of
the frozen image encoder, and what they move its features by is added to the stored ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fuseline.data.dataset import PIXELS, Batch
from fuseline.params.attack import PIXEL_SPACE

TEXT_SPACE = "text_embedding"
MAX_PIXEL = 255.0
FEATURE_SUFFIX = "_feature"


class Perturbable:
    """The perturbable tensors of one batch.

    Args:
        model: a Fuseline model (for its word embeddings and special token ids).
        batch: `input_ids` (B, T), `attention_mask`, `text_mask` (B,), `<modality>_features`
            (B, P, D), `<modality>_mask` (B,); for pixels also `image_pixels`
            (B, 3, S, S), of K pictures a row (B, K, 3, S, S).
        spaces: names among `text_embedding`, `<modality>_feature` and `image_pixel`, the latter
            not beside `image_feature`; a space in which no position of the batch can move is left
            out. A picture is one position of 3 * S * S values.
    """

    def __init__(self, model: Any, batch: Batch, spaces: list[str]) -> None:
        self._model = model
        self._batch = batch
        self._masks: dict[str, Tensor] = {}
        self._offsets: dict[bool, Tensor] = {}
        for space in spaces:
            movable = self._movable(space, model, batch)
            if movable is not None and movable.any():
                self._masks[space] = movable

    def start(self) -> dict[str, Tensor]:
        """Zero deltas by space, (B, T, D)."""
        return {space: torch.zeros_like(self._clean(space)).detach() for space in self._masks}

    def masks(self) -> dict[str, Tensor]:
        """(B, T) bool by space: padding, special tokens and absent modalities never move."""
        return self._masks

    def bounds(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Least and greatest delta of each entry, for spaces whose values have bounds."""
        if PIXEL_SPACE not in self._masks:
            return {}
        clean = self._clean(PIXEL_SPACE)
        return {PIXEL_SPACE: (-clean, MAX_PIXEL - clean)}

    def inputs(self, deltas: dict[str, Tensor]) -> Batch:
        """Keyword arguments for the model, perturbed by `deltas`; pixels stay within [0, 255]."""
        inputs = dict(self._batch)
        for space, delta in deltas.items():
            perturbed = self._clean(space) + delta
            if space == TEXT_SPACE:
                inputs["inputs_embeds"] = perturbed
            elif space == PIXEL_SPACE:
                # Most attacks here know of no bounds but their ball.
                encoded = self._encoded(perturbed.clamp(0.0, MAX_PIXEL))
                inputs["image_features"] = encoded + self._offset()
            else:
                inputs[_features_key(space)] = perturbed
        return inputs

    def _encoded(self, pixels: Tensor) -> Tensor:
        """Features (B, P, D) of flat pixels, as `encode_image` gives them. The rounding to
        float16 is passed straight through by the gradient, whose small values float16 would
        round to zero."""
        pictures = pixels.reshape(-1, *self._batch[PIXELS].shape[-3:])
        features: Tensor = self._model.fuseline.image_encoder(pictures)
        features = features.reshape(len(pixels), -1, features.shape[-1])
        # Exact: the difference to a rounded number has few enough bits.
        return features + (features.half().float() - features).detach()

    def _offset(self) -> Tensor:
        """(B, P, D) what the stored features have over those of the clean pixels here: extraction
        rounds otherwise, by its precision and its folded network, and in bfloat16 by more than
        some attacks may move. With it a zero delta gives the stored features."""
        precision = torch.is_autocast_enabled("cpu")
        if precision not in self._offsets:
            with torch.no_grad():
                encoded = self._encoded(self._clean(PIXEL_SPACE))
            self._offsets[precision] = self._batch["image_features"] - encoded
        return self._offsets[precision]

    def _movable(self, space: str, model: Any, batch: Batch) -> Tensor | None:
        """(B, T) bool; None where the batch lacks the modality."""
        if space == TEXT_SPACE:
            if "input_ids" not in batch:
                return None
            special = torch.tensor(model.config.special_token_ids)
            words = batch["attention_mask"].bool() & ~torch.isin(batch["input_ids"], special)
            # Pairs of texts come without a mask: all are there.
            return words & batch["text_mask"].unsqueeze(-1) if "text_mask" in batch else words
        if space == PIXEL_SPACE:
            return self._pictures_there() if PIXELS in batch else None
        key = _features_key(space)
        if key not in batch:
            return None
        modality = space.removesuffix(FEATURE_SUFFIX)
        return batch[f"{modality}_mask"].unsqueeze(-1) & ~batch[key][..., 0].isnan()

    def _pictures_there(self) -> Tensor:
        """(B, K) bool: of K pictures a row those that it has, as its features tell."""
        here = self._batch["image_mask"].unsqueeze(-1)
        places = self._clean(PIXEL_SPACE).shape[1]
        if places == 1:
            return here
        absent = self._batch["image_features"][..., 0].isnan()
        return here & ~absent.reshape(len(absent), places, -1)[..., 0]

    def _clean(self, space: str) -> Tensor:
        if space == PIXEL_SPACE:
            pixels = self._batch[PIXELS]
            return pixels.reshape(len(pixels), -1, pixels.shape[-3:].numel())
        if space != TEXT_SPACE:
            return self._batch[_features_key(space)]
        # Looked up anew in every pass: each has a graph of its own, and trains the embeddings.
        words: Tensor = self._model.get_input_embeddings()(self._batch["input_ids"])
        return words


def _features_key(space: str) -> str:
    return f"{space.removesuffix(FEATURE_SUFFIX)}_features"
