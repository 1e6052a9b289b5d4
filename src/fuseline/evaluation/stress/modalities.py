"""Modalities missing, from another row, or at odds with each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.scoring.ablation import keep, shuffle
from fuseline.evaluation.stress.base import Context
from fuseline.learning.tasks.prediction import Predicted


def modalities_suite(context: Context) -> dict[str, Any]:
    """By model and modality the scores of the rows that have it: `missing`, where it is gone,
    `swapped`, where it is another row's, and `present`, where nothing is changed.

    `contradictory`, of a classification: see `_contradictory`.
    """
    return {name: _of_model(context, name) for name in context.models}


def _of_model(context: Context, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {m: _one(context, name, m) for m in context.modalities}
    if context.task.kind == "classification":
        found["contradictory"] = {
            f"{first}_against_{second}": _contradictory(context, name, first, second)
            for first, second in combinations(context.modalities, 2)
        }
    return found


def _one(context: Context, name: str, modality: str) -> dict[str, Any]:
    rows = np.flatnonzero(context.test.present(modality))
    data = context.test.take(rows)
    others = set(context.modalities) - {modality}
    return {
        "rows": len(rows),
        "present": _of_rows(context, context.clean[name], rows),
        "missing": context.score(name, keep(data, others)),
        "swapped": context.score(name, shuffle(data, [modality], context.seed)),
    }


def _of_rows(context: Context, found: Predicted, rows: np.ndarray) -> dict[str, float]:
    """Figures of some rows of a prediction; zeros without any."""
    if not len(rows):
        return dict.fromkeys(context.figures(found), 0.0)
    columns = (values[rows] for values in (found.outputs, found.losses, found.right))
    return context.figures(Predicted(found.data.take(rows), *columns))


def _contradictory(context: Context, name: str, first: str, second: str) -> dict[str, Any]:
    """What the model says of rows that have nothing but one modality of their own and another of
    a row with another label: the share of answers that are the `first` one's label, the
    `second` one's, and neither's. Beside it, what it says where the two agree."""
    test = context.test
    both = test.take(np.flatnonzero(test.present(first) & test.present(second)))
    both = keep(both, [first, second])
    rows, partners = partners_of_another_label(both.labels, context.seed)
    if not len(rows):
        shares = (f"follows_{first}", f"follows_{second}", "follows_neither")
        return {"rows": 0, **dict.fromkeys((*shares, "right_when_they_agree"), 0.0)}
    mixed = taken_from(both.take(rows), second, both.take(partners))
    said = context.predicted(name, mixed).outputs.argmax(-1)
    by_first, by_second = said == both.labels[rows], said == both.labels[partners]
    return {
        "rows": len(rows),
        f"follows_{first}": float(by_first.mean()),
        f"follows_{second}": float(by_second.mean()),
        "follows_neither": float((~by_first & ~by_second).mean()),
        "right_when_they_agree": float(context.predicted(name, both.take(rows)).right.mean()),
    }


def partners_of_another_label(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and for each a row of another label; a row without any is left out.

    Args:
        labels: (N,) int64.
        seed: of the order in which partners are tried.
    """
    cycle = np.random.default_rng(seed).permutation(len(labels))
    # Twice around and from the end, so that each row takes over what the next one found.
    twice, pairs, partner = np.tile(cycle, 2), [], -1
    for place in range(len(twice) - 2, -1, -1):
        row, following = twice[place], twice[place + 1]
        if labels[following] != labels[row]:
            partner = following
        if place < len(cycle) and partner >= 0:
            pairs.append((row, partner))
    found = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def taken_from(data: MultimodalData, modality: str, others: MultimodalData) -> MultimodalData:
    """The rows with one modality of N others."""
    if modality == "text":
        return replace(data, input_ids=others.input_ids, text_mask=others.text_mask)
    return replace(
        data,
        features=data.features | {modality: others.features[modality]},
        feature_mask=data.feature_mask | {modality: others.feature_mask[modality]},
    )
