"""Section `leakage`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fuseline.config import Section
from fuseline.params.base import Count, Share


class NearParams(Section):
    """Least cosine similarity at which a test row counts as near a training row, by modality."""

    text: Share
    image: Share
    audio: Share
    video: Share


class RuleParams(Section):
    """When a word counts as telling the label suspiciously well.

    Attributes:
        precision: least share of the test rows with the word that bear the label.
        min_rows: least number of test rows with the word; as many are asked of the training rows.
        max_share: share of the test rows that such words may decide before the report warns.
    """

    precision: Share
    min_rows: Count
    max_share: Share


class LeakageParams(Section):
    """What is compared, and what is suspicious.

    Attributes:
        max_rows: rows of a split to compare; of more, those with the smallest hashes of their ids.
        num_pairs: closest test and training rows to keep, per modality.
        shortcut_gain: share of the commonest label's errors that a fact beside the content, such
            as the length of the text, may remove before the report warns.
    """

    max_rows: Annotated[int, Field(ge=2, le=50_000)]
    num_pairs: Count
    near: NearParams
    rule: RuleParams
    shortcut_gain: Share
