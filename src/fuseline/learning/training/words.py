"""Word embeddings of which only the words that occur are trained.

A batch holds a few hundred of a vocabulary's tens of thousands of words. Each step would fill,
measure, clip and decay a gradient of them all, most of it zeros: more than a third of the weights
of a small encoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fuseline.data.dataset import MultimodalData


class OccurringWords(nn.Embedding):
    """The embeddings (U, D) of U words, looked up by their ids in the whole vocabulary.

    Args:
        whole: embeddings (V, D) of all words.
        ids: (U,) int64, those that occur, each once.

    Raises:
        IndexError: when asked for a word that does not occur.
    """

    places: Tensor

    def __init__(self, whole: nn.Embedding, ids: Tensor) -> None:
        places = torch.full((whole.num_embeddings,), len(ids))
        places[ids] = torch.arange(len(ids))
        padding = None if whole.padding_idx is None else int(places[whole.padding_idx])
        weight = whole.weight.detach()[ids]
        super().__init__(len(ids), whole.embedding_dim, padding_idx=padding, _weight=weight)
        self.register_buffer("places", places, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Embeddings (..., D) of ids (...)."""
        return super().forward(self.places[input])


@contextmanager
def occurring_words(model: Any, data: MultimodalData) -> Iterator[None]:
    """Let the model have no word embeddings but those of the rows' words; the others come back as
    they were.

    Without this they would lose a share of `weight_decay * rate` at every step, and nothing else.
    Embeddings that are frozen, or that do more than look up, are left alone.

    Args:
        model: a Fuseline model, its parameters frozen or not as they are to be.
        data: all rows that it will see within.
    """
    whole = model.fuseline.text_encoder and model.get_input_embeddings()
    if type(whole) is not nn.Embedding or not whole.weight.requires_grad:
        yield
        return
    special = [*model.config.special_token_ids, whole.padding_idx or 0, data.pad_token_id]
    ids = torch.from_numpy(np.unique(np.concatenate([special, *data.input_ids])))
    words = OccurringWords(whole, ids)
    model.fuseline.set_input_embeddings(words)
    try:
        yield
    finally:
        model.fuseline.set_input_embeddings(whole)
        with torch.no_grad():
            whole.weight[ids] = words.weight
