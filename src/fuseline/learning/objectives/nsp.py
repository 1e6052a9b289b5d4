"""Next-sentence prediction (BERT: Devlin et al. 2019, arXiv 1810.04805) over segment pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fuseline.data.dataset import Batch, pad
from fuseline.learning.objectives.base import ObjectiveOutput, mean_or_zero
from fuseline.learning.objectives.matching import draw_negative, mismatched
from fuseline.params.pretrain import ObjectiveParams


class NextSentencePrediction:
    """Does segment B belong to segment A?

    A row's partner is a text of its group in another language where there is one (translations
    are pairs), else the second half of its own text. Half of the rows get the
    partner of another group instead. Other modalities are withheld: the text alone must tell.
    """

    def __init__(self, params: ObjectiveParams, continues_word: Tensor | None) -> None:
        del params, continues_word

    @staticmethod
    def takes_part(modalities: Sequence[str]) -> bool:
        return "text" in modalities

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        first, second = _pairs(model, batch)
        other, has_other = draw_negative(
            mismatched(batch) & torch.tensor([len(s) > 0 for s in second])
        )
        negative = (torch.rand(len(first)) < 0.5) & has_other
        rows = [row for row in range(len(first)) if len(first[row]) and len(second[row])]
        chosen = [second[int(other[row])] if negative[row] else second[row] for row in rows]
        if not rows:
            anchor = model(**batch).pooled
            return ObjectiveOutput(mean_or_zero(anchor.new_zeros(0), anchor))
        inputs = _encode(model, [first[row] for row in rows], chosen)
        output = model(**inputs)
        labels = negative[rows].long()
        logits = model.nsp_head(output.pooled).float()
        loss = functional.cross_entropy(logits, labels)
        return ObjectiveOutput(loss, (logits.argmax(-1) == labels).sum().item(), len(rows))


def _pairs(model: Any, batch: Batch) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """First and second segments of all rows, empty where a text is too short to halve."""
    first, second = [], []
    translations = batch.get("translation_tokens")
    for row, ids in enumerate(batch["input_ids"]):
        text = _content(model, ids)
        partner = text[:0] if translations is None else _content(model, translations[row])
        half = len(text) // 2
        whole = len(partner) > 0
        first.append(text if whole else text[:half])
        second.append(partner if whole else text[half:] if half else partner)
    return first, second


def _content(model: Any, ids: Tensor) -> np.ndarray:
    """Token ids without special tokens."""
    return ids[~torch.isin(ids, torch.tensor(model.config.special_token_ids))].numpy()


def _encode(model: Any, first: list[np.ndarray], second: list[np.ndarray]) -> Batch:
    special = model.config.special_tokens
    start, separator = special["cls"], special["sep"]
    longest = model.config.text_config["max_position_embeddings"] - 3
    pairs = [
        (a[: longest - longest // 2], b[: longest // 2]) for a, b in zip(first, second, strict=True)
    ]
    ids, mask = pad(
        [np.concatenate([[start], a, [separator], b, [separator]]) for a, b in pairs],
        special["pad"],
    )
    batch = {"input_ids": ids, "attention_mask": mask}
    if model.config.text_config.get("type_vocab_size", 0) < 2:
        # Such encoders know no segments; the separator alone tells the texts apart.
        return batch
    types = torch.zeros_like(ids)
    for row, (a, b) in enumerate(pairs):
        types[row, len(a) + 2 : len(a) + len(b) + 3] = 1
    return batch | {"token_type_ids": types}
