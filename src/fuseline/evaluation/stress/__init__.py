"""Suites of inputs that go wrong, each measured on all models side by side."""

from __future__ import annotations

from fuseline.evaluation.stress.audio import corrupted_recordings
from fuseline.evaluation.stress.base import Context, Suite
from fuseline.evaluation.stress.image import corrupted_pictures
from fuseline.evaluation.stress.modalities import modalities_suite
from fuseline.evaluation.stress.out_of_distribution import out_of_distribution_suite
from fuseline.evaluation.stress.paired import paired_suite
from fuseline.evaluation.stress.text import text_suite
from fuseline.evaluation.stress.transfer import transfer_suite

SUITES: dict[str, Suite] = {
    "text": text_suite,
    "image": lambda context: corrupted_pictures(context, context.params.image).figures(),
    "audio": lambda context: corrupted_recordings(context, context.params.audio).figures(),
    "modalities": modalities_suite,
    "out_of_distribution": out_of_distribution_suite,
    "transfer": transfer_suite,
    "paired": paired_suite,
}

__all__ = ["SUITES", "Context", "Suite"]
