"""Scores of every model on rows whose pictures or recordings are corrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from fuseline.data.dataset import MultimodalData
from fuseline.evaluation.sampling import sample
from fuseline.evaluation.scoring.ablation import keep
from fuseline.evaluation.stress.base import Context
from fuseline.evaluation.stress.corrupted_media import CorruptibleMedia
from fuseline.params.stress_media import AudioStressParams, ImageStressParams

Figures = dict[str, Any]
# A corruption and a severity.
Point = tuple[str, int]


class CorruptedRows:
    """The test rows that have a modality, which is corrupted, encoded once, and scored by every
    model.

    Args:
        context: models and rows.
        modality: `image` or `audio`.
        params: corruptions, severities, and how many rows: of more that have the modality, a
            sample by a hash of their ids.
        load: media of rows by their ids; called only where a row has the modality.
    """

    def __init__(
        self,
        context: Context,
        modality: str,
        params: ImageStressParams | AudioStressParams,
        load: Callable[[Sequence[str]], CorruptibleMedia],
    ) -> None:
        self.context, self.modality, self.params, self.load = context, modality, params, load

    @property
    def points(self) -> list[Point]:
        """Every corruption at every severity; none of a modality that takes no part."""
        if self.modality not in self.context.modalities:
            return []
        return [
            (name, level) for name in self.params.corruptions for level in self.params.severities
        ]

    def point(self, point: Point) -> Figures:
        """By model the scores at one point."""
        name, severity = point
        found: Figures = self.context.parts.values(
            f"{self.modality}-{name}-{severity}", lambda: self._point(name, severity)
        )
        return found

    def figures(self) -> dict[str, Figures]:
        """By model `rows`; `clean`, the scores of the rows as they are; `corruptions`, by name the
        scores at each severity; `mean`, those of all corruptions and severities; `relative`, the
        mean as a share of the clean score, 0 where that is 0.

        Scores are those of `Context.figures`. Where the model has other modalities too, `alone`
        beside them are the same scores without those. A modality that takes no part has no figures.
        """
        if not self.points:
            return {name: {} for name in self.context.models}
        found = {point: self.point(point) for point in self.points}
        return {
            model: _summed_up(
                len(self._rows),
                _scored(self.context, model, self.modality, self._rows),
                {
                    name: [
                        {"severity": level, **found[name, level][model]}
                        for level in self.params.severities
                    ]
                    for name in self.params.corruptions
                },
            )
            for model in self.context.models
        }

    @cached_property
    def _rows(self) -> MultimodalData:
        test = self.context.test
        data = test.take(np.flatnonzero(test.present(self.modality)))
        return data.take(sample(data.example_ids, self.params.max_rows))

    @cached_property
    def _media(self) -> CorruptibleMedia:
        return self.load(self._rows.example_ids)

    def _point(self, name: str, severity: int) -> Figures:
        changed = self._rows
        if len(changed):
            features = changed.features | {self.modality: self._media.corrupted(name, severity)}
            changed = replace(changed, features=features)
        return {
            model: _scored(self.context, model, self.modality, changed)
            for model in self.context.models
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
