"""Corrupted recordings: noise, gain, clipping, time shift, dropped spans."""

from __future__ import annotations

from collections.abc import Sequence

from fuseline.data.modalities.extraction.stored_media import media_of
from fuseline.evaluation.stress.base import Context
from fuseline.evaluation.stress.corrupted_media import Recordings
from fuseline.evaluation.stress.corruption_scores import CorruptedRows
from fuseline.params.stress_media import AudioStressParams


def corrupted_recordings(context: Context, params: AudioStressParams) -> CorruptedRows:
    """The rows with corrupted recordings, and with the sound of corrupted videos."""

    def load(example_ids: Sequence[str]) -> Recordings:
        media = media_of(context.examples, example_ids, ["audio", "video"])
        precision = context.base.precision
        return Recordings(media, context.extract_features.audio, precision, context.seed)

    return CorruptedRows(context, "audio", params, load)
