"""The row that every source yields, and what a source promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from fuseline.params.ingest import IngestParams, TargetKind

# How much of a cell a message shows.
SHOWN_CHARACTERS = 60


def brief(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """The text as a message shows it: a cell may hold a whole picture."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True)
class Media:
    """One media file: its bytes, and the relative path or name they came under, if any."""

    bytes: bytes
    path: str | None


@dataclass(frozen=True)
class Problem:
    """Why a source could not read a row whole: a reason code and a sentence for people."""

    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class RawRow:
    """One row as the source holds it, neither cleaned nor judged.

    Attributes:
        source_row: position in the source, from 0 and without gaps.
        example_id: stable name of the row; None only where a problem hides it.
        is_named: whether the source gives that name; else it is made of what the row holds.
        batch: number of the file or delivery that the row came in, from 0, never falling; each
            batch starts shards of its own, so that a later one leaves the earlier as they are.
        more_texts: those behind the first, of a row that has several.
        more_images: those of the places behind the first, None where one has none.
        group: rows that must share a split; None where the row stands for itself.
        split: the split that the source gives the row, by whatever name; None where it gives none.
        tabular: cells by column name, spelt as in the source (None for an empty cell); None where
            the source has no such columns.
        targets: cells to learn by column name; a list as JSON.
        license, provenance: terms under which the row may be used, and where it came from.
        problems: what the source itself found wrong; such a row is always refused.
        raw: the source's own values by its own names, kept for the quarantine.
    """

    source_row: int
    batch: int = 0
    example_id: str | None = None
    is_named: bool = True
    text: str | None = None
    more_texts: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    split: str | None = None
    lang: str | None = None
    image: Media | None = None
    more_images: tuple[Media | None, ...] = ()
    audio: Media | None = None
    video: Media | None = None
    tabular: Mapping[str, str | None] | None = None
    targets: Mapping[str, str | None] | None = None
    license: str | None = None
    provenance: str | None = None
    problems: tuple[Problem, ...] = ()
    raw: Mapping[str, str | None]


@dataclass
class LineCounts:
    """What became of the lines of text files: all = header + blank + further + rows.

    Attributes:
        all: lines that the files hold.
        header: those of headers.
        blank: those without a visible character, outside of cells.
        further: those of rows of several lines, but for the first of each.
    """

    all: int = 0
    header: int = 0
    blank: int = 0
    further: int = 0

    @property
    def rows(self) -> int:
        """Rows that the lines are."""
        return self.all - self.header - self.blank - self.further

    def add(self, other: LineCounts) -> None:
        self.all += other.all
        self.header += other.header
        self.blank += other.blank
        self.further += other.further


class Source(ABC):
    """Rows in a fixed order, streamed: memory does not grow with the number of rows.

    The constructor finds whatever is wrong with the source as a whole (a missing file, a wrong
    column, an unknown language), so that such an error stops a run before its first row.
    """

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, params: IngestParams) -> None:
        """Check the source.

        Raises:
            ConfigError: the params name something that is not there.
            ContractError: a file of the source is not what its name says.
        """

    @property
    @abstractmethod
    def fields(self) -> frozenset[str]:
        """Which of `text`, `image`, `audio`, `video`, `tabular`, `label` the source maps.

        A row may still lack any medium; a mapped `label` is demanded of every row, and a mapped
        `text` of every row that has no medium either.
        """

    @property
    def targets(self) -> Mapping[str, TargetKind]:
        """What each target column holds."""
        return {}

    @property
    def notes(self) -> list[str]:
        """Sentences about how the source is read, where that is not plain from its params."""
        return []

    @property
    def lines(self) -> LineCounts | None:
        """What became of the lines of its text files, once all rows were read; None where it has
        none."""
        return None

    @property
    def num_rows(self) -> int | None:
        """Number of rows where it is known beforehand, for the progress bar."""
        return None

    @abstractmethod
    def rows(self) -> Iterator[RawRow]:
        """Yield every row in source order; each call starts again and yields the same."""
