"""Section `export`: which model becomes what others use, and how it says that it is unsure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Count

# The figure under attack where the task has one, else the one that picks the epoch.
AUTO = "auto"


class ExportParams(Section):
    """What `models/export` holds.

    Attributes:
        model: one of the two, or the `best` by a figure.
        select_by: a figure of `metrics/evaluate/<model>.json`, such as `accuracy`; `auto` is
            `robust_accuracy`, of a task without it the score that picks its epoch.
        coverage: share of rows whose prediction set is to hold the right label.
        false_refusals: share of the development rows that count as out of scope.
        neighbours: nearest training rows that a row's distance is taken over, and that are shown.
        max_bank_rows: training rows to keep vectors of; of more, a sample by a hash of their ids.
        max_attacked_rows: test rows on which each format is tried under attack.
        thumbnail_pixels: longer side of the pictures of training rows that are shown beside
            answers; 0 for none.
        num_samples: development rows that a visitor is offered to try; 0 for none.
    """

    model: Literal["best", "finetuned", "adversarial"]
    select_by: Annotated[str, Field(min_length=1)]
    coverage: Annotated[float, Field(gt=0.5, lt=1.0)]
    false_refusals: Annotated[float, Field(gt=0.0, lt=0.5)]
    neighbours: Count
    max_bank_rows: Count
    max_attacked_rows: Count
    thumbnail_pixels: Annotated[int, Field(ge=0, le=256)]
    num_samples: Annotated[int, Field(ge=0, le=4)]
