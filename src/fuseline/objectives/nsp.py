"""Next-sentence prediction (BERT: Devlin et al. 2019, arXiv 1810.04805) over segment pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fuseline.dataset import pad
from fuseline.objectives.base import Batch, ObjectiveOutput, mean_or_zero
from fuseline.objectives.matching import different_group, draw_negative
from fuseline.params.pretrain import ObjectiveParams


class NextSentencePrediction:
    """Does segment B belong to segment A?

    A row's partner is a text of its group in another language where the batch holds one
    (translations are pairs), else the second half of its own text. Half of the rows get the
    partner of another group instead. Other modalities are withheld: the text alone must tell.
    """

    def __init__(self, params: ObjectiveParams) -> None:
        del params

    def __call__(self, model: Any, batch: Batch) -> ObjectiveOutput:
        segments = [_content(model, batch, row) for row in range(len(batch["input_ids"]))]
        first, second = _pairs(segments, _translations(batch))
        other, has_other = draw_negative(
            different_group(batch["groups"]) & torch.tensor([len(s) > 0 for s in second])
        )
        negative = (torch.rand(len(segments)) < 0.5) & has_other
        rows = [row for row in range(len(segments)) if len(first[row]) and len(second[row])]
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


def _content(model: Any, batch: Batch, row: int) -> np.ndarray:
    """Token ids of one row without special tokens."""
    ids = batch["input_ids"][row][batch["attention_mask"][row].bool()].numpy()
    return ids[~np.isin(ids, model.config.special_token_ids)]


def _translations(batch: Batch) -> Tensor:
    """(B,) index of a row of the same group in another language, -1 where there is none."""
    groups, langs = batch["groups"], batch["langs"]
    match = ~different_group(groups) & (langs.unsqueeze(0) != langs.unsqueeze(1))
    return torch.where(match.any(1), match.int().argmax(1), -1)


def _pairs(
    segments: list[np.ndarray], translations: Tensor
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    first, second = [], []
    for row, segment in enumerate(segments):
        partner = int(translations[row])
        half = len(segment) // 2
        first.append(segment if partner >= 0 else segment[:half])
        second.append(
            segments[partner] if partner >= 0 else segment[half:] if half else segment[:0]
        )
    return first, second


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
