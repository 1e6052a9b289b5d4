"""Common corruptions of pictures (Hendrycks & Dietterich 2019, arXiv 1903.12261).

Deviation: scores are plain means over corruptions and severities, and shares of the clean score;
the paper weighs each corruption by another network's errors under it.
"""

from __future__ import annotations

from collections.abc import Sequence

from fuseline.data.modalities.extraction.stored_media import pictures_of
from fuseline.evaluation.stress.base import Context
from fuseline.evaluation.stress.corrupted_media import Pictures
from fuseline.evaluation.stress.corruption_scores import CorruptedRows
from fuseline.params.stress_media import ImageStressParams


def corrupted_pictures(context: Context, params: ImageStressParams) -> CorruptedRows:
    """The rows with corrupted pictures."""

    def load(example_ids: Sequence[str]) -> Pictures:
        media, places = pictures_of(context.examples, example_ids)
        precision = context.base.precision
        return Pictures(media, context.extract_features.image, precision, context.seed, places)

    return CorruptedRows(context, "image", params, load)
