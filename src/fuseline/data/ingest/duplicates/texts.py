"""Texts that are nearly equal: MinHash signatures, found by locality-sensitive hashing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuseline.data.ingest.duplicates.minhash import NUM_HASHES, band_keys, normalise, sign
from fuseline.data.ingest.duplicates.storage import GrowingArray, SortedRuns
from fuseline.data.ingest.duplicates.values import Matches, Numbering, by_value

# Texts of fewer distinct shingles, about 20 characters, are alike too easily.
WEAK_SHINGLES = 16

# Of texts filed under one key only the earliest are looked at: a row's cost stays bounded, and
# one that resembles later texts alone, of a crowd of so many, may be missed.
_BUCKET = 8
# Share of the pairs at the very threshold that share some key.
_RECALL = 0.99
_LOW_BITS = np.uint32(0xFFFF)


class TextIndex:
    """All texts so far, 256 bytes of signature and about 200 of keys each.

    Args:
        similarity: least Jaccard similarity of two sets of shingles of texts nearly equal, as
            their signatures estimate it; 1.0 finds equal texts only.
    """

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._bands = _bands(similarity)
        self._numbering = Numbering()
        self._signatures = GrowingArray(NUM_HASHES, np.uint16)
        self._keys = SortedRuns()

    def add(self, texts: Sequence[str | None]) -> Matches:
        """Add a block of rows, and find each text's like among all so far, the block's included."""
        held = [normalise(text) for text in texts if text is not None]
        before = len(self._numbering)
        numbers = self._numbering.number(
            text.encode("utf-8", errors="surrogatepass") for text in held
        )
        distinct = dict(zip(numbers, held, strict=True))
        given = iter(numbers)
        values = [-1 if text is None else next(given) for text in texts]
        if not distinct:
            return Matches(values, {})
        signatures, shingles = sign(list(distinct.values()))
        ordinals = np.fromiter(distinct, np.int64, len(distinct))
        weak = frozenset(ordinals[shingles < WEAK_SHINGLES].tolist())
        near = {} if self._similarity == 1.0 else self._near(ordinals, signatures, before)
        return Matches(values, near, weak)

    def _near(
        self, ordinals: np.ndarray, signatures: np.ndarray, before: int
    ) -> dict[int, list[int]]:
        """Others like each text; those numbered from `before` on are new and added first."""
        keys = band_keys(signatures, *self._bands)
        low = (signatures & _LOW_BITS).astype(np.uint16)
        new = ordinals >= before
        self._signatures.append(low[new])
        num_bands = self._bands[0]
        self._keys.add(keys[new].ravel(), np.repeat(ordinals[new], num_bands).astype(np.uint32))
        # The text itself may lie among the earliest of its bucket.
        positions, found = self._keys.find(keys.ravel(), _BUCKET + 1)
        queries = positions // num_bands
        other = found != ordinals[queries]
        pairs = np.unique(queries[other] << 32 | found[other])
        queries, found = pairs >> 32, pairs & (2**32 - 1)
        equal = (low[queries] == self._signatures.rows[found]).mean(axis=1)
        alike = equal >= self._similarity
        return by_value(ordinals[queries[alike]], found[alike])


def _bands(similarity: float) -> tuple[int, int]:
    """Number and width of bands: the widest, so the most selective, that miss few pairs."""
    for width in range(16, 1, -1):
        count = NUM_HASHES // width
        if 1 - (1 - similarity**width) ** count >= _RECALL:
            return count, width
    return NUM_HASHES, 1
