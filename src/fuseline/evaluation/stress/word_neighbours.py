"""Words that lie next to one another in a text encoder's word embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from fuseline.learning.model.passes import Model

# Words compared with the whole vocabulary at once: their similarities are in memory together.
CHUNK_WORDS = 256


def whole_words(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """Words that are one token, to its id: those of letters alone, whose spelling gives that very
    token, which pieces of words do not."""
    spelt = {
        tokenizer.convert_tokens_to_string([piece]).strip(): token
        for piece, token in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    }
    words = [word for word in spelt if word.isalpha()]
    encoded = tokenizer(words, add_special_tokens=False)["input_ids"] if words else []
    return {
        word: ids[0]
        for word, ids in zip(words, encoded, strict=True)
        if len(ids) == 1
        and tokenizer.convert_tokens_to_string(tokenizer.convert_ids_to_tokens(ids)).strip() == word
    }


@torch.no_grad()
def word_neighbours(
    model: Model, vocabulary: Mapping[str, int], words: Sequence[str], number: int
) -> dict[str, list[str]]:
    """The words nearest by the cosine of their embeddings, nearest first.

    Args:
        model: with a text encoder.
        vocabulary: words that are one token, to its id.
        words: those to find neighbours of; one that is not in the vocabulary has none.
        number: of neighbours.
    """
    names = list(vocabulary)
    known = [word for word in words if word in vocabulary]
    number = min(number, len(names) - 1)
    if not known or number < 1:
        return {}
    vectors = functional.normalize(
        model.get_input_embeddings().weight[list(vocabulary.values())].float(), dim=-1
    )
    places = {name: place for place, name in enumerate(names)}
    own = torch.tensor([places[word] for word in known])
    found: dict[str, list[str]] = {}
    for part in torch.split(own, CHUNK_WORDS):
        similar = vectors[part] @ vectors.T
        similar[torch.arange(len(part)), part] = -torch.inf
        nearest = similar.topk(number, dim=-1).indices.tolist()
        found |= {
            names[word]: [names[place] for place in row]
            for word, row in zip(part.tolist(), nearest, strict=True)
        }
    return found
