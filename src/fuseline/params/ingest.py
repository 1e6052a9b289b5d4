"""Section `ingest`: where rows come from, what is refused, how rows are split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fuseline.config import Section
from fuseline.params.base import Count, Share


class EmojiParams(Section):
    """The built-in OpenMoji source."""

    languages: Annotated[list[str], Field(min_length=1)]
    skin_tones: bool
    image_size: Annotated[int, Field(ge=16, le=1024)]


class SyntheticParams(Section):
    """The seeded source: its label needs both modalities."""

    num_rows: Count
    num_classes: Annotated[int, Field(ge=2, le=64)]
    image_size: Annotated[int, Field(ge=8, le=512)]


class ColumnParams(Section):
    """Names of the manifest's columns; null where it has none."""

    id: str | None
    text: str | None
    image: str | None
    audio: str | None
    video: str | None
    tabular: list[str]
    label: str | None
    group: str | None
    lang: str | None


class ManifestParams(Section):
    """A CSV, JSONL or Parquet file with paths to media relative to it."""

    path: str | None
    columns: ColumnParams


class SplitParams(Section):
    """Shares of groups by salted hash; they sum to 1."""

    salt: int
    train: Share
    dev: Share
    test: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> SplitParams:
        total = self.train + self.dev + self.test
        if abs(total - 1.0) > 1e-6 or self.train == 0:
            raise ValueError(f"train, dev and test must sum to 1 with train > 0, got {total:g}")
        return self


class LimitParams(Section):
    """What a row may weigh before it is refused."""

    max_image_bytes: Count
    max_image_pixels: Count
    max_text_characters: Count


class IngestParams(Section):
    source: Literal["emoji", "synthetic", "manifest"]
    emoji: EmojiParams
    synthetic: SyntheticParams
    manifest: ManifestParams
    split: SplitParams
    limits: LimitParams
    min_label_rows: Count
    max_quarantined_share: Share
    shard_rows: Count
