"""Which earlier rows a row copies, by all that both hold."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fuseline.data.ingest.candidate import Candidate
from fuseline.data.ingest.duplicates.holders import Holders
from fuseline.data.ingest.duplicates.media import MediaIndex
from fuseline.data.ingest.duplicates.texts import TextIndex
from fuseline.data.ingest.duplicates.values import Matches
from fuseline.params.base import MEDIA
from fuseline.params.ingest import DuplicateParams

COMPARED = ("text", *MEDIA)
ALL = "all"
_ABSENT = -1


@dataclass(frozen=True)
class Copy:
    """An earlier row that a row copies: its number, and the modality that shows it, or `all`."""

    row: int
    modality: str


@dataclass
class Contents:
    """What one row holds, by modality, as numbers of distinct contents.

    Attributes:
        values: the contents.
        near: other contents nearly equal to them.
        weak: modalities whose content says too little on its own.
        clusters: of the contents, among the rows kept so far.
        digest: of clusters and table cells: equal where rows are alike in all that they hold.
        grouped: whether the user told the row's group.
    """

    values: dict[str, int] = field(default_factory=dict)
    near: dict[str, list[int]] = field(default_factory=dict)
    weak: set[str] = field(default_factory=set)
    clusters: dict[str, int] = field(default_factory=dict)
    cells: bytes = b""
    digest: bytes = b""
    grouped: bool = False


class CopySearch:
    """Finds the earlier kept rows that each row copies.

    What is evidence of a copy:
    - rows alike in all that they hold, table cells included, always are copies;
    - so are rows with nearly the same medium, or nearly the same text unless it is short;
    - but not once `max_copies` rows that differ otherwise hold it: then it is a category, such as
      the one picture of a seven beside three hundred recordings;
    - nor where the user put both rows into groups, and they hold another medium that differs:
      speakers who all read from one picture are told apart.

    What is found of a row hangs on the rows before it alone, so that appended rows change nothing.
    About a kilobyte a row with a text, and 700 bytes with a picture, stay in memory.
    """

    def __init__(self, params: DuplicateParams, max_images: int) -> None:
        self._max_copies = params.max_copies
        self._texts = TextIndex(params.text_similarity)
        self._media = {medium: MediaIndex(medium, params, max_images) for medium in MEDIA}
        self._holders = {modality: Holders() for modality in COMPARED}
        self._first_alike: dict[bytes, int] = {}
        self._grouped = array("b")
        self._clusters = {medium: array("q") for medium in MEDIA}

    def read(self, block: Sequence[Candidate]) -> list[Contents]:
        """Number what a block of rows holds, and compare it with all that was read before."""
        rows = [_contents(candidate) for candidate in block]
        _note(rows, "text", self._texts.add([row.record["text"] for row in block]))
        for medium, index in self._media.items():
            _note(rows, medium, index.add([row.fingerprints.get(medium) for row in block]))
        return rows

    def copies(self, row: Contents) -> list[Copy]:
        """The kept rows that a row copies, earliest first; to be asked before `keep`."""
        row.clusters = {
            modality: self._holders[modality].cluster(value, row.near[modality])
            for modality, value in row.values.items()
        }
        row.digest = _digest(row)
        found: dict[int, str] = {}
        alike = self._first_alike.get(row.digest)
        if alike is not None:
            found[alike] = ALL
        for modality in row.values:
            for other in self._sharing(row, modality):
                found.setdefault(other, modality)
        return [Copy(other, found[other]) for other in sorted(found)]

    def keep(self, row: Contents) -> None:
        """Number the row among the kept, for later ones to be compared with."""
        number = len(self._grouped)
        is_new = self._first_alike.setdefault(row.digest, number) == number
        for modality, value in row.values.items():
            self._holders[modality].keep(number, value, row.clusters[modality], is_new=is_new)
        for medium, clusters in self._clusters.items():
            clusters.append(row.clusters.get(medium, _ABSENT))
        self._grouped.append(row.grouped)

    def _sharing(self, row: Contents, modality: str) -> Iterator[int]:
        """Kept rows whose content of the modality shows that the row is a copy."""
        holders = self._holders[modality]
        if modality in row.weak:
            return
        if holders.different_rows(row.clusters[modality]) >= self._max_copies:
            return
        for other in holders.first_rows([row.values[modality], *row.near[modality]]):
            if not (row.grouped and self._grouped[other] and self._differ(row, other, modality)):
                yield other

    def _differ(self, row: Contents, other: int, shared: str) -> bool:
        """Whether both hold another medium that is not nearly the same."""
        return any(
            self._clusters[medium][other] not in (_ABSENT, row.clusters[medium])
            for medium in MEDIA
            if medium != shared and medium in row.clusters
        )


def _contents(candidate: Candidate) -> Contents:
    tabular = candidate.record["tabular"]
    cells = repr(sorted(tabular.items())).encode("utf-8", "surrogatepass") if tabular else b""
    return Contents(cells=cells, grouped=candidate.record["group"] is not None)


def _note(rows: list[Contents], modality: str, matches: Matches) -> None:
    for row, value in zip(rows, matches.values, strict=True):
        if value == _ABSENT:
            continue
        row.values[modality] = value
        row.near[modality] = matches.near.get(value, [])
        if value in matches.weak:
            row.weak.add(modality)


def _digest(row: Contents) -> bytes:
    clusters = ",".join(str(row.clusters.get(modality, "")) for modality in COMPARED)
    return hashlib.blake2b(clusters.encode() + b"\0" + row.cells, digest_size=16).digest()
