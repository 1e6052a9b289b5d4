"""Corrupted recordings: noise, gain, clipping, time shift, dropped spans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fuseline.data.modalities.extraction.stored_media import media_of
from fuseline.evaluation.stress.base import Context
from fuseline.evaluation.stress.corrupted_media import Recordings
from fuseline.evaluation.stress.corruption_scores import corruption_scores
from fuseline.params.stress_media import AudioStressParams


def audio_suite(context: Context, params: AudioStressParams) -> dict[str, Any]:
    """Figures of corrupted recordings, and of the sound of videos; see `corruption_scores`."""

    def load(example_ids: Sequence[str]) -> Recordings:
        media = media_of(context.examples, example_ids, ["audio", "video"])
        precision = context.base.precision
        return Recordings(media, context.extract_features.audio, precision, context.seed)

    return corruption_scores(
        context, "audio", params.corruptions, params.severities, params.max_rows, load
    )
