"""Noise on the text, tokenised again: what a robust embedding alone does not withstand.

Characters inserted, deleted, swapped, substituted or mistyped (Belinkov & Bisk 2018, arXiv
1711.02173), white space, letters of another script that look the same (Boucher et al. 2021, arXiv
2106.09898), and words replaced by neighbours among the word embeddings (Alzantot et al. 2018, arXiv
1804.07998; deviation: the embeddings are the model's own, so a neighbour may be an antonym, and the
words are drawn rather than searched for).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.scoring.ablation import keep
from fuseline.evaluation.stress.base import Context
from fuseline.evaluation.stress.text_noises import Noise, noise_of, with_neighbours, words_of
from fuseline.evaluation.stress.word_neighbours import whole_words, word_neighbours


def text_suite(context: Context) -> dict[str, Any]:
    """By model and noise the scores at each strength, beside those of the clean text.

    `alone` are the scores of the same rows without any other modality. Rows without text stay as
    they are. A model that takes no text has no figures, and tags have none under `whitespace`,
    which leaves them without their words.
    """
    if "text" not in context.modalities:
        return {name: {} for name in context.models}
    words = sorted({word for text in context.texts for word in words_of(text or "")})
    vocabulary = whole_words(context.processor.tokenizer)
    found: dict[str, Any] = {}
    for name, model in context.models.items():
        neighbours = word_neighbours(model, vocabulary, words, context.params.text.num_neighbours)
        noises = with_neighbours(neighbours)
        found[name] = {
            "clean": _scored(context, name, context.test),
            **{
                noise: _curve(context, name, noise, noises[noise])
                for noise in context.params.text.noises
                if noise != "whitespace" or "tags" not in context.task.target_kinds
            },
        }
    return found


def _curve(context: Context, model: str, name: str, noise: Noise) -> list[dict[str, Any]]:
    points = []
    for strength in context.params.text.strengths:
        texts = noisy(context, name, noise, strength)
        changed = [one != other for one, other in zip(texts, context.texts, strict=True)]
        points.append(
            {
                "strength": strength,
                "changed_share": float(np.mean(changed)),
                **_scored(context, model, context.with_texts(texts)),
            }
        )
    return points


def noisy(context: Context, name: str, noise: Noise, strength: float) -> list[str | None]:
    """The texts of the test rows under a noise; each depends on its own row alone."""
    rows = zip(context.test.example_ids, context.texts, strict=True)
    return [
        text and noise(text, strength, noise_of(example_id, name, context.seed))
        for example_id, text in rows
    ]


def _scored(context: Context, model: str, data: MultimodalData) -> dict[str, Any]:
    alone = {"alone": context.score(model, keep(data, ["text"]))}
    return context.score(model, data) | (alone if len(context.modalities) > 1 else {})
