"""Which earlier rows a row copies, by all that both hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from fuseline.ingest.candidate import Candidate
from fuseline.ingest.duplicates.media_index import MediaIndex
from fuseline.ingest.duplicates.text_index import TextIndex, normalised
from fuseline.params.ingest import DuplicateParams

MEDIA = ("image", "audio", "video")
# Two rows may share a shorter text by chance.
LEAST_TELLING_CHARACTERS = 20


@dataclass(frozen=True)
class Copy:
    """An earlier row that a row copies: its number, and the modality that shows it."""

    row: int
    modality: str


@dataclass
class _Matches:
    """Earlier rows that share a modality's content with one row, by modality."""

    by_modality: dict[str, np.ndarray] = field(default_factory=dict)
    # How many earlier rows hold exactly the same text; near texts are not counted.
    same_text: int = 0


class CopySearch:
    """Finds the earlier rows that each row copies.

    A medium that is like an earlier one, or a text that is like an earlier one and not short,
    makes a copy, unless more than `max_copies` earlier rows share it: then it is a category, such
    as the one picture of a seven beside three hundred recordings. Rows alike in everything that
    they hold are copies always.

    Some 600 bytes a row with a text, and 500 a row with a picture, stay in memory.
    """

    def __init__(self, params: DuplicateParams) -> None:
        self._params = params
        self._media = {medium: MediaIndex(medium, params) for medium in MEDIA}
        self._texts = TextIndex(params.text_similarity)
        # First row and number of rows by digest of a text, and first row by that of everything.
        self._same_text: dict[int, list[int]] = {}
        self._same_row: dict[int, int] = {}
        # Digest of the cells, and what each row holds.
        self._cells: list[int] = []
        self._held: list[frozenset[str]] = []

    def add(self, block: Sequence[Candidate]) -> list[list[Copy]]:
        """Add rows, numbered on from those before, and return the copies that each one is."""
        first = len(self._held)
        numbers = range(first, first + len(block))
        found = [_Matches() for _ in block]
        for medium, index in self._media.items():
            having = [place for place, row in enumerate(block) if medium in row.fingerprints]
            near = index.add(
                [numbers[place] for place in having],
                [block[place].fingerprints[medium] for place in having],
            )
            for row, earlier in near.items():
                found[row - first].by_modality[medium] = earlier
        self._match_texts(block, first, found)
        return [
            list(self._copies(number, candidate, matches))
            for number, candidate, matches in zip(numbers, block, found, strict=True)
        ]

    def _match_texts(self, block: Sequence[Candidate], first: int, found: list[_Matches]) -> None:
        texts = {
            first + place: normalised(row.record["text"])
            for place, row in enumerate(block)
            if row.record["text"]
        }
        fresh = {}
        for row, text in texts.items():
            known = self._same_text.setdefault(_digest(text), [row, 0])
            if known[1]:
                found[row - first].by_modality["text"] = np.array([known[0]])
                found[row - first].same_text = known[1]
            else:
                fresh[row] = text
            known[1] += 1
        if self._params.text_similarity == 1.0:
            return
        for row, earlier in self._texts.add(list(fresh), list(fresh.values())).items():
            found[row - first].by_modality["text"] = earlier

    def _copies(self, number: int, candidate: Candidate, matches: _Matches) -> Iterator[Copy]:
        record = candidate.record
        cells = _digest(json.dumps(record["tabular"], sort_keys=True)) if record["tabular"] else 0
        held = frozenset(candidate.fingerprints) | ({"text"} if record["text"] else set())
        self._cells.append(cells)
        self._held.append(held)
        whole = _digest_row(candidate, cells)
        same = self._same_row.setdefault(whole, number)
        if same != number:
            yield Copy(same, "all")
            return
        for modality, earlier in matches.by_modality.items():
            telling = self._is_telling(modality, candidate, earlier, matches)
            for row in earlier[: self._params.max_copies].tolist():
                if telling:
                    yield Copy(row, modality)
                elif self._alike_in_all(row, held, cells, matches):
                    yield Copy(row, "all")

    def _is_telling(
        self, modality: str, candidate: Candidate, earlier: np.ndarray, matches: _Matches
    ) -> bool:
        if modality == "text":
            is_long = len(candidate.record["text"]) >= LEAST_TELLING_CHARACTERS
            return is_long and matches.same_text < self._params.max_copies
        return len(earlier) < self._params.max_copies

    def _alike_in_all(self, row: int, held: frozenset[str], cells: int, matches: _Matches) -> bool:
        return (
            self._held[row] == held
            and self._cells[row] == cells
            and all(row in matches.by_modality.get(modality, ()) for modality in held)
        )


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _digest_row(candidate: Candidate, cells: int) -> int:
    """Of everything that the row holds: equal rows have equal media, to the last byte."""
    record = candidate.record
    digest = hashlib.blake2b(digest_size=8)
    digest.update(normalised(record["text"] or "").encode())
    digest.update(cells.to_bytes(8, "big"))
    for medium in MEDIA:
        content = (record[medium] or {}).get("bytes", b"")
        digest.update(len(content).to_bytes(8, "big") + content)
    return int.from_bytes(digest.digest(), "big")
