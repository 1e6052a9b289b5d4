"""Media that look or sound nearly the same: hashes few bits apart, confirmed by sketches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fuseline.data.ingest.duplicates.storage import GrowingArray
from fuseline.data.ingest.duplicates.values import Matches, Numbering, by_value
from fuseline.data.ingest.fingerprints import LENGTH_BYTES, VIDEO_FRAMES
from fuseline.params.ingest import DuplicateParams

_WORD_BYTES, _WORD_BITS = 8, 64
_IMAGE_WORDS, _AUDIO_WORDS = 1, 8

# Sketches of copies differ by less, in levels of 256: re-encoded, rescaled or slightly cropped
# emoji did, while faces of one outline with other mouths did not.
_MEAN_LEVELS, _MAX_LEVELS = 4.0, 28
# A copy may be lighter or darker by a fifth, where the picture has contrast enough to tell.
_LARGEST_GAIN, _LEAST_CONTRAST = 1.25, 16.0
_AUDIO_MEAN_LEVELS = 10.0
_LENGTH_SHARE, _LENGTH_UNITS = 0.05, 10

# Pairs whose hashes are compared at a time: what fits a processor's cache.
_PAIRS = 2**18
# Pairs whose sketches are, each of them some hundred bytes.
_CONFIRMED_TOGETHER = 2**13

Confirm = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Kind:
    """Layout of a medium's fingerprint, and when two are of copies.

    Attributes:
        words: words of 64 bits of hash; the sketch follows.
        max_bits: greatest number of bits by which the hashes may differ.
        confirm: two arrays of sketches (N, S) to N truths.
    """

    words: int
    max_bits: int
    confirm: Confirm


class MediaIndex:
    """All fingerprints of one medium so far, each compared with each.

    Exact search: 64 bits are compared in about a nanosecond, far less than decoding takes up to
    some hundred thousand media.

    Args:
        medium: `image`, `audio` or `video`.
        params: the distances.
        max_images: pictures of a row; rows are alike in them where they are, place by place.
    """

    def __init__(self, medium: str, params: DuplicateParams, max_images: int = 1) -> None:
        self._kind = _kind(medium, params, max_images)
        self._limit = params.max_copies + 1
        self._numbering = Numbering()
        self._hashes: GrowingArray | None = None
        self._sketches: GrowingArray | None = None

    def add(self, fingerprints: Sequence[bytes | None]) -> Matches:
        """Add a block of rows, and find each one's like among all so far, the block's included.

        Of more likes than `max_copies` the earliest are found.
        """
        held = [content for content in fingerprints if content is not None]
        before = len(self._numbering)
        numbers = self._numbering.number(held)
        given = iter(numbers)
        values = [-1 if content is None else next(given) for content in fingerprints]
        distinct = dict(zip(numbers, held, strict=True))
        if not distinct:
            return Matches(values, {})
        hashes, sketches = self._parts(list(distinct.values()))
        ordinals = np.fromiter(distinct, np.int64, len(distinct))
        self._append(hashes[ordinals >= before], sketches[ordinals >= before])
        queries, found = self._search(hashes, sketches)
        other = ordinals[queries] != found
        return Matches(values, by_value(ordinals[queries[other]], found[other]))

    def _parts(self, fingerprints: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
        raw = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(len(fingerprints), -1)
        hash_bytes = self._kind.words * _WORD_BYTES
        hashes = np.ascontiguousarray(raw[:, :hash_bytes]).view(np.uint64)
        return hashes, raw[:, hash_bytes:]

    def _append(self, hashes: np.ndarray, sketches: np.ndarray) -> None:
        if self._hashes is None or self._sketches is None:
            self._hashes = GrowingArray(hashes.shape[1], np.uint64)
            self._sketches = GrowingArray(sketches.shape[1], np.uint8)
        self._hashes.append(hashes)
        self._sketches.append(sketches)

    def _search(self, hashes: np.ndarray, sketches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of a position in the query and a value, confirmed."""
        assert self._hashes is not None and self._sketches is not None
        queries, found = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        taken = np.zeros(len(hashes), np.int64)
        open_ = np.arange(len(hashes))
        start = 0
        while start < len(self._hashes) and len(open_):
            end = start + max(1, _PAIRS // len(open_))
            distances = _distances(hashes[open_], self._hashes.rows[start:end])
            near, others = np.nonzero(distances <= self._kind.max_bits)
            near, others = open_[near], others + start
            sure = self._confirmed(sketches, near, others)
            queries.append(near[sure])
            found.append(others[sure])
            taken += np.bincount(near[sure], minlength=len(taken))
            open_ = open_[taken[open_] < self._limit]
            start = end
        return _earliest(np.concatenate(queries), np.concatenate(found), self._limit)

    def _confirmed(self, sketches: np.ndarray, near: np.ndarray, others: np.ndarray) -> np.ndarray:
        assert self._sketches is not None
        sure = np.zeros(len(near), bool)
        for start in range(0, len(near), _CONFIRMED_TOGETHER):
            part = slice(start, start + _CONFIRMED_TOGETHER)
            sure[part] = self._kind.confirm(sketches[near[part]], self._sketches.rows[others[part]])
        return sure


def _earliest(queries: np.ndarray, found: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `limit` pairs of each query, whatever chunk they were found in."""
    order = np.lexsort((found, queries))
    queries, found = queries[order], found[order]
    rank = np.arange(len(queries)) - np.searchsorted(queries, queries)
    return queries[rank < limit], found[rank < limit]


def _distances(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bits by which (Q, W) and (N, W) words differ, (Q, N) uint16."""
    total = np.zeros((len(hashes), len(others)), np.uint16)
    for word in range(hashes.shape[1]):
        total += np.bitwise_count(hashes[:, word, None] ^ others[None, :, word])
    return total


def _kind(medium: str, params: DuplicateParams, max_images: int) -> _Kind:
    bits = params.image_distance
    kinds = {
        "image": _Kind(max_images * _IMAGE_WORDS, max_images * bits, _same_pictures),
        "video": _Kind(VIDEO_FRAMES * _IMAGE_WORDS, VIDEO_FRAMES * bits, _same_pictures),
        "audio": _Kind(
            _AUDIO_WORDS, int(params.audio_distance * _AUDIO_WORDS * _WORD_BITS), _same_sounds
        ),
    }
    return kinds[medium]


def _same_pictures(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    one, other = first.astype(np.float32), second.astype(np.float32)
    gain = (one * other).sum(axis=1) / np.maximum((one * one).sum(axis=1), 1.0)
    gain = np.clip(gain, 1 / _LARGEST_GAIN, _LARGEST_GAIN)
    gain = np.where(one.std(axis=1) < _LEAST_CONTRAST, 1.0, gain)
    apart = np.abs(one * gain[:, None] - other)
    same: np.ndarray = (apart.mean(axis=1) <= _MEAN_LEVELS) & (apart.max(axis=1) <= _MAX_LEVELS)
    return same


def _same_sounds(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    one, other = first.astype(np.int32), second.astype(np.int32)
    units = one[:, 0] * 256 + one[:, 1], other[:, 0] * 256 + other[:, 1]
    allowed = _LENGTH_UNITS + _LENGTH_SHARE * units[0]
    as_long = np.abs(units[0] - units[1]) <= allowed
    levels = np.abs(one[:, LENGTH_BYTES:] - other[:, LENGTH_BYTES:]).mean(axis=1)
    same: np.ndarray = as_long & (levels <= _AUDIO_MEAN_LEVELS)
    return same
