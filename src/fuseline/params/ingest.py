"""Section `ingest`: where rows come from, what is refused, how rows are split."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from fuseline.config import Section
from fuseline.params.base import Count, Modality, Positive, Share


class EmojiParams(Section):
    """The built-in OpenMoji source."""

    languages: Annotated[list[str], Field(min_length=1)]
    skin_tones: bool
    image_size: Annotated[int, Field(ge=16, le=1024)]


class SyntheticParams(Section):
    """The seeded source: its label needs every one of its modalities."""

    modalities: Annotated[list[Modality], Field(min_length=1)]
    num_rows: Count
    num_classes: Annotated[int, Field(ge=2, le=64)]
    image_size: Annotated[int, Field(ge=8, le=512)]


# What a target column holds: one name, a set of names, a number, one tag for each word of the text,
# or a text.
TargetKind = Literal["category", "categories", "number", "tags", "text"]


# Which names count as one: none but equal ones, those that are certainly the same, or all alike.
Spelling = Literal["as_written", "certain", "all"]


class ColumnParams(Section):
    """Names of the source's columns; null where it has none.

    For `webdataset` a name is a member's ending (`jpg`, several as `jpg;png`), or `json.key`.
    """

    id: str | None
    text: str | None
    image: str | None
    audio: str | None
    video: str | None
    tabular: list[str]
    label: str | None
    targets: dict[str, TargetKind]
    group: str | None
    split: str | None
    lang: str | None
    license: str | None
    provenance: str | None

    @model_validator(mode="after")
    def _each_column_has_one_use(self) -> ColumnParams:
        repeated = sorted({name for name in self.tabular if self.tabular.count(name) > 1})
        if repeated:
            raise ValueError(f"tabular names {', '.join(repeated)} more than once")
        if self.label in self.tabular:
            raise ValueError(
                f"{self.label!r} is the label and may not be tabular too: the model would read"
                " its answer"
            )
        self._check_targets()
        return self

    def _check_targets(self) -> None:
        """A target is no input, and `label` is what tasks call the column of that use."""
        used = {self.label: "the label"} | dict.fromkeys(self.tabular, "tabular")
        for use in ("text", "image", "audio", "video"):
            used[getattr(self, use)] = use
        for name in self.targets:
            if name in used:
                raise ValueError(f"{name!r} is a target and may not be {used[name]} too")
            if name == "label":
                raise ValueError(
                    "a target may not be called 'label', as tasks call what `label` names: name"
                    " that column there, or rename it"
                )


class ManifestParams(Section):
    """CSV, JSONL or Parquet files with paths to media relative to them.

    `path` is a file, a folder or a pattern; several files are read in order of their names, each
    a batch of its own. `encoding` is that of text files without a byte order mark, by its name in
    Python: `utf-8`, `cp1252`, `iso-8859-1`, `gb18030`, …
    """

    path: str | None
    encoding: str
    columns: ColumnParams

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            codecs.lookup(name)
            "".encode(name)
        except LookupError:
            raise ValueError(
                f"expected an encoding of text, such as utf-8 or cp1252, found {name!r}"
            ) from None
        return name


class ImageFolderParams(Section):
    """A folder with one folder of pictures per label."""

    path: str | None


class DatasetsParams(Section):
    """A data set of the library `datasets`: a local folder, or a hub id with a revision."""

    path: str | None
    name: str | None
    revision: str | None
    split: str | None
    columns: ColumnParams


class WebDatasetParams(Section):
    """Tar shards in the WebDataset layout; each shard is a batch."""

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

    max_text_characters: Count
    max_image_bytes: Count
    max_image_pixels: Count
    max_audio_bytes: Count
    max_audio_seconds: Positive
    max_video_bytes: Count
    max_video_seconds: Positive
    max_video_frames: Count


class DuplicateParams(Section):
    """When two rows count as copies of each other, and so share a split.

    Attributes:
        text_similarity: least Jaccard similarity of character shingles, estimated by MinHash.
        image_distance: greatest number of bits of 64 by which perceptual hashes may differ.
        audio_distance: greatest share of bits by which audio fingerprints may differ.
        max_copies: a medium or text that more rows than these share, beside differing others, is
            no sign of a copy any more but a category; rows alike in everything always are.
    """

    text_similarity: Annotated[float, Field(gt=0.0, le=1.0)]
    image_distance: Annotated[int, Field(ge=0, le=32)]
    audio_distance: Annotated[float, Field(ge=0.0, le=0.5)]
    max_copies: Count


class HarmfulParams(Section):
    """The screen for harmful texts: `none`, `word_list`, or a folder with a classifier.

    `threshold` is the least probability at which a classifier's verdict counts.
    """

    screen: str
    threshold: Share
    action: Literal["report", "quarantine"]


class SafetyParams(Section):
    """What becomes of personal data and of harmful content."""

    personal_data: Literal["keep", "mask", "quarantine"]
    harmful: HarmfulParams


class IngestParams(Section):
    source: Literal["emoji", "synthetic", "manifest", "image_folder", "datasets", "webdataset"]
    emoji: EmojiParams
    synthetic: SyntheticParams
    manifest: ManifestParams
    image_folder: ImageFolderParams
    datasets: DatasetsParams
    webdataset: WebDatasetParams
    spellings: Spelling
    categories_separator: Annotated[str, Field(min_length=1)]
    split: SplitParams
    limits: LimitParams
    duplicates: DuplicateParams
    safety: SafetyParams
    min_label_rows: Count
    max_quarantined_share: Share
    shard_rows: Annotated[int, Field(ge=8)]
