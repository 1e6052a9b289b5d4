"""Section `stress`: how inputs go wrong before both models are measured on them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from fuseline.config import Section
from fuseline.params.attack import AttackParams
from fuseline.params.base import Count, Share
from fuseline.params.stress_media import AudioStressParams, ImageStressParams

# The keys of `fuseline.evaluation.stress.SUITES`.
SuiteName = Literal[
    "text", "image", "audio", "modalities", "out_of_distribution", "transfer", "paired"
]
NoiseName = Literal[
    "insert",
    "delete",
    "swap",
    "substitute",
    "keyboard",
    "whitespace",
    "look_alikes",
    "synonyms",
]


class TextStressParams(Section):
    """Noises on the text of test rows.

    Attributes:
        noises: those to measure.
        strengths: shares of the characters that a noise can change; of words for `synonyms`.
        num_neighbours: nearest words that a synonym is drawn from.
    """

    noises: Annotated[list[NoiseName], Field(min_length=1)]
    strengths: Annotated[list[Share], Field(min_length=1)]
    num_neighbours: Count

    @field_validator("noises")
    @classmethod
    def _each_once(cls, noises: list[str]) -> list[str]:
        if len(set(noises)) < len(noises):
            raise ValueError("each noise may stand once")
        return noises

    @field_validator("strengths")
    @classmethod
    def _rising(cls, strengths: list[float]) -> list[float]:
        if strengths != sorted(set(strengths)):
            raise ValueError("strengths must rise")
        return strengths


class OutOfDistributionParams(Section):
    """Rows of another set.

    Attributes:
        examples: folder of another run's examples table; null renders rows of the source
            `synthetic`.
        max_rows: of the other set; of more, a sample by a hash of their ids.
    """

    examples: str | None
    max_rows: Annotated[int, Field(ge=2)]


class TransferParams(Section):
    """The attack that looks for deltas on one model, to be tried on the other."""

    attack: AttackParams


class StressParams(Section):
    """What goes wrong, and how much of the test split is measured.

    Attributes:
        suites: those to run.
        max_rows: test rows; of more, those with the smallest hashes of their ids.
        batch_size: rows of one forward pass at most.
    """

    suites: Annotated[list[SuiteName], Field(min_length=1)]
    max_rows: Annotated[int, Field(ge=2)]
    batch_size: Count
    text: TextStressParams
    image: ImageStressParams
    audio: AudioStressParams
    out_of_distribution: OutOfDistributionParams
    transfer: TransferParams

    @field_validator("suites")
    @classmethod
    def _each_once(cls, suites: list[str]) -> list[str]:
        if len(set(suites)) < len(suites):
            raise ValueError("each suite may stand once")
        return suites
