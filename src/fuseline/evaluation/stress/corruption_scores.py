"""Scores of every model on rows whose pictures or recordings are corrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.ablation import keep
from fuseline.evaluation.stress.base import Context, sample
from fuseline.evaluation.stress.corrupted_media import CorruptibleMedia

Figures = dict[str, Any]


def corruption_scores(
    context: Context,
    modality: str,
    corruptions: Sequence[str],
    severities: Sequence[int],
    max_rows: int,
    load: Callable[[Sequence[str]], CorruptibleMedia],
) -> dict[str, Figures]:
    """Corrupt one modality of the rows that have it; encode it once, score it by every model.

    Args:
        context: models and rows.
        modality: `image` or `audio`.
        corruptions: names of its table.
        severities: each from 1 to 5.
        max_rows: of more rows that have the modality, a sample by a hash of their ids.
        load: media of rows by their ids; called only where a row has the modality.

    Returns:
        By model `rows`; `clean`, the scores of the rows as they are; `corruptions`, by name the
        scores at each severity; `mean`, those of all corruptions and severities; `relative`, the
        mean as a share of the clean score, 0 where that is 0. Scores are those of
        `Context.figures`. Where the model has other modalities too, `alone` beside them are the
        same scores without those. A modality that takes no part has no figures.
    """
    if modality not in context.modalities:
        return {name: {} for name in context.models}
    data = context.test.take(np.flatnonzero(context.test.present(modality)))
    data = data.take(sample(data.example_ids, max_rows))
    points: dict[str, dict[str, list[Figures]]] = {
        model: {name: [] for name in corruptions} for model in context.models
    }
    media = load(data.example_ids) if len(data) else None
    for name in corruptions:
        for severity in severities:
            changed = data
            if media is not None:
                features = data.features | {modality: media.corrupted(name, severity)}
                changed = replace(data, features=features)
            for model, by_name in points.items():
                scored = _scored(context, model, modality, changed)
                by_name[name].append({"severity": severity, **scored})
    return {
        model: _summed_up(len(data), _scored(context, model, modality, data), by_name)
        for model, by_name in points.items()
    }


def _scored(context: Context, model: str, modality: str, data: MultimodalData) -> Figures:
    found: Figures = dict(context.score(model, data))
    if len(context.modalities) > 1:
        found["alone"] = context.score(model, keep(data, [modality]))
    return found


def _summed_up(rows: int, clean: Figures, by_name: dict[str, list[Figures]]) -> Figures:
    points = [point for points in by_name.values() for point in points]
    mean = _mean(points, clean)
    return {
        "rows": rows,
        "clean": clean,
        "mean": mean,
        "relative": _relative(mean, clean),
        "corruptions": by_name,
    }


def _mean(points: list[Figures], like: Figures) -> Figures:
    """Means of the scores that `like` has, and of those within `alone`."""
    return {
        key: _mean([point[key] for point in points], value)
        if isinstance(value, dict)
        else float(np.mean([point[key] for point in points]))
        for key, value in like.items()
    }


def _relative(mean: Figures, clean: Figures) -> Figures:
    return {
        key: _relative(mean[key], value)
        if isinstance(value, dict)
        else (mean[key] / value if value else 0.0)
        for key, value in clean.items()
    }
