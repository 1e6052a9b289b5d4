"""Section `ingest`: where rows come from, what is refused, how rows are split."""

from __future__ import annotations

import codecs
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

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


def _one_or_several(value: Any) -> Any:
    """Refuse what is neither a name nor a list of names, in one sentence for both."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError("expected a name, a list of names such as [title, description], or null")
    if not value:
        raise ValueError("expected a name or several; write null for none")
    repeated = sorted({name for name in value if value.count(name) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} is named more than once")
    return value


ColumnNames = Annotated[str | list[str] | None, BeforeValidator(_one_or_several)]
# Which names count as one: none but equal ones, those that are certainly the same, or all alike.
Spelling = Literal["as_written", "certain", "all"]


class ColumnParams(Section):
    """Names of the source's columns; null where it has none. `text` and `image` may be lists of
    names, whose cells are the texts and pictures of a row in that order.

    For `webdataset` a name is a member's ending (`jpg`, several as `jpg;png`), or `json.key`.
    """

    id: str | None
    text: ColumnNames
    image: ColumnNames
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

    @property
    def texts(self) -> list[str]:
        """The columns of texts."""
        return [self.text] if isinstance(self.text, str) else self.text or []

    @property
    def images(self) -> list[str]:
        """The columns of pictures."""
        return [self.image] if isinstance(self.image, str) else self.image or []

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
        if isinstance(self.text, list) and self.label in self.text:
            raise ValueError(
                f"{self.label!r} is the label and may not be among the texts too: the model would"
                " read its answer"
            )
        self._check_targets()
        return self

    def _check_targets(self) -> None:
        """A target is no input, and `label` is what tasks call the column of that use."""
        used = {self.label: "the label"} | dict.fromkeys(self.tabular, "tabular")
        used |= dict.fromkeys(self.texts, "text")
        used |= dict.fromkeys(self.images, "image")
        for use in ("audio", "video"):
            used[getattr(self, use)] = use
        for name in self.targets:
            if name in used:
                raise ValueError(f"{name!r} is a target and may not be {used[name]} too")
            if name == "label":
                raise ValueError(
                    "a target may not be called 'label', as tasks call what `label` names: name"
                    " that column there, or rename it"
                )
            if self.targets[name] == "tags" and len(self.texts) > 1:
                raise ValueError(
                    f"the tags of {name!r} name the words of one text, found the texts"
                    f" {', '.join(self.texts)}: name the one that is tagged"
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


SplitName = Literal["train", "dev", "test"]


class SplitParams(Section):
    """Shares of groups by salted hash; they sum to 1.

    Attributes:
        names: what further names in a column `split` mean, such as `{"0": train}`.
        from_train: splits that such a column lacks, which take their shares of its training rows.
    """

    salt: int
    train: Share
    dev: Share
    test: Share
    names: dict[str, SplitName]
    from_train: list[Literal["dev", "test"]]

    @field_validator("names", mode="before")
    @classmethod
    def _numbers_are_names(cls, names: Any) -> Any:
        """YAML reads a bare 0 as a number; a cell that holds it is text."""
        if not isinstance(names, dict):
            return names
        return {str(name) if type(name) is int else name: split for name, split in names.items()}

    @model_validator(mode="after")
    def _can_take_from_train(self) -> SplitParams:
        for name in self.from_train:
            if not getattr(self, name):
                raise ValueError(
                    f"from_train names {name}, whose share is 0; raise {name} or leave it out"
                )
        return self

    @model_validator(mode="after")
    def _sum_to_one(self) -> SplitParams:
        total = self.train + self.dev + self.test
        if abs(total - 1.0) > 1e-6 or self.train == 0:
            raise ValueError(f"train, dev and test must sum to 1 with train > 0, got {total:g}")
        return self


class EventColumnParams(Section):
    """Names of the columns of events; `value` and `kind` null where there are none. Files whose
    columns have no names (`.dat`, `.data`) are mapped by place: "1", "2", …"""

    user: str
    item: str
    time: str
    value: str | None
    kind: str | None


class InteractionParams(Section):
    """What people did with the rows, which are then items to recommend.

    Attributes:
        path: a file of events, or several as `manifest.path` has it; null for none.
        dev, test: shares of the events, the last ones, which are cut off by time.
    """

    path: str | None
    encoding: str
    columns: EventColumnParams
    dev: Share
    test: Share

    @model_validator(mode="after")
    def _leave_some_to_train(self) -> InteractionParams:
        if self.dev + self.test >= 1.0:
            raise ValueError(
                f"dev and test must leave events to train on, got {self.dev + self.test:g} for both"
            )
        return self


class LimitParams(Section):
    """What a row may weigh before it is refused.

    Attributes:
        max_images: pictures of a row, each of which has a place of its own among the features.
    """

    max_text_characters: Count
    max_image_bytes: Count
    max_image_pixels: Count
    max_images: Annotated[int, Field(ge=1, le=16)]
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
    interactions: InteractionParams
    limits: LimitParams
    duplicates: DuplicateParams
    safety: SafetyParams
    min_label_rows: Count
    max_quarantined_share: Share
    max_group_share: Share
    unlearnable: Literal["refuse", "warn"]
    shard_rows: Annotated[int, Field(ge=8)]
