"""Texts that share most of their character shingles with an earlier one: MinHash and bands.

MinHash: Broder 1997. Bands of signatures as keys: Indyk and Motwani 1998. The keys lie in sorted
runs that merge as they grow (O'Neil et al. 1996, the log-structured merge-tree), so that a
million texts take some hundred megabytes and a look-up costs little more than among a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuseline.ingest.duplicates.rows import GrowingArray

SHINGLE_CHARACTERS = 4
NUM_BANDS, BAND_HASHES = 10, 5
NUM_HASHES = NUM_BANDS * BAND_HASHES
# Of a bucket only the earliest texts of each run are looked at, so that a text of many likes
# costs no more than another.
_PER_RUN = 2

_RANDOM = np.random.default_rng(20)
_FACTORS = _RANDOM.integers(0, 2**63, NUM_HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_TERMS = _RANDOM.integers(0, 2**63, NUM_HASHES, dtype=np.uint64)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def normalised(text: str) -> str:
    """The text as it is compared: without case, every run of whitespace one space."""
    return " ".join(text.casefold().split())


def signatures(texts: Sequence[str]) -> np.ndarray:
    """MinHash signatures (n, NUM_HASHES) uint32 of normalised texts.

    The share of equal entries of two rows estimates the Jaccard similarity of their sets of
    shingles.
    """
    padded = [text.ljust(SHINGLE_CHARACTERS, "\0") for text in texts]
    lengths = np.array([len(text) for text in padded])
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), "<u4")
    windows = len(points) - SHINGLE_CHARACTERS + 1
    shingles = np.zeros(windows, np.uint64)
    for place in range(SHINGLE_CHARACTERS):
        shingles = shingles * _BASE + points[place : place + windows]
    # Windows over the end of a text belong to none.
    ends = np.cumsum(lengths)
    inside = np.ones(windows, bool)
    for overlap in range(1, SHINGLE_CHARACTERS):
        inside[ends[:-1] - overlap] = False
    shingles = _mixed(shingles[inside])
    counts = lengths - SHINGLE_CHARACTERS + 1
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    result = np.empty((len(texts), NUM_HASHES), np.uint32)
    for index in range(NUM_HASHES):
        hashed = ((shingles * _FACTORS[index] + _TERMS[index]) >> np.uint64(32)).astype(np.uint32)
        result[:, index] = np.minimum.reduceat(hashed, starts)
    return result


def _mixed(values: np.ndarray) -> np.ndarray:
    """Every bit of the outcome hangs on every bit of the value (Steele et al. 2014, SplitMix)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed


class TextIndex:
    """Signatures of texts, in the order of their rows.

    Args:
        similarity: least estimated Jaccard similarity of two texts that are alike.
    """

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._signatures = GrowingArray(NUM_HASHES, np.uint32)
        self._rows = GrowingArray(1, np.int64)
        self._bands = [_Runs() for _ in range(NUM_BANDS)]

    def add(self, rows: Sequence[int], texts: Sequence[str]) -> dict[int, np.ndarray]:
        """Add rows, and find earlier rows whose texts are alike.

        Args:
            rows: numbers that rise from call to call.
            texts: normalised, of these rows.

        Returns:
            by row that has any, the numbers (n,) int64 of some earlier rows, rising; the earliest
            of nearly equal texts is among them.
        """
        if not rows:
            return {}
        made = signatures(texts)
        places = np.arange(len(self._rows), len(self._rows) + len(rows))
        self._signatures.extend(made)
        self._rows.extend(np.asarray(rows, np.int64)[:, None])
        pairs = self._candidates(made, places)
        known = self._signatures.values
        shares = (known[pairs[:, 0]] == known[pairs[:, 1]]).mean(axis=1)
        found: dict[int, np.ndarray] = {}
        numbers = self._rows.values[:, 0]
        for new, earlier in pairs[shares >= self._similarity].tolist():
            row = int(numbers[new])
            found[row] = np.append(found.get(row, numbers[:0]), numbers[earlier])
        return found

    def _candidates(self, made: np.ndarray, places: np.ndarray) -> np.ndarray:
        """(n, 2) int64 sorted pairs of a new place and an earlier one that share a band."""
        found = []
        for band, runs in enumerate(self._bands):
            part = made[:, band * BAND_HASHES : (band + 1) * BAND_HASHES].astype(np.uint64)
            keys = np.zeros(len(made), np.uint64)
            for column in range(BAND_HASHES):
                keys = _mixed(keys * _BASE + part[:, column])
            runs.add(keys, places)
            found.append(runs.earlier(keys, places))
        return np.unique(np.concatenate(found), axis=0)


class _Runs:
    """Keys with their places, in sorted runs of falling sizes."""

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, keys: np.ndarray, places: np.ndarray) -> None:
        order = np.argsort(keys, kind="stable")
        run = (keys[order], places[order].astype(np.int32))
        while self._runs and len(self._runs[-1][0]) < 2 * len(run[0]):
            last = self._runs.pop()
            together = np.concatenate([last[0], run[0]])
            # Stable: within a key the earlier places stay in front.
            order = np.argsort(together, kind="stable")
            run = (together[order], np.concatenate([last[1], run[1]])[order])
        self._runs.append(run)

    def earlier(self, keys: np.ndarray, places: np.ndarray) -> np.ndarray:
        """(n, 2) int64 pairs of a place and an earlier one of the same key."""
        # Sorted needles walk the run from one end to the other, which caches like.
        order = np.argsort(keys, kind="stable")
        keys, places = keys[order], places[order]
        pairs = []
        for run_keys, run_places in self._runs:
            first = np.searchsorted(run_keys, keys)
            for offset in range(_PER_RUN):
                at = np.minimum(first + offset, len(run_keys) - 1)
                hit = (run_keys[at] == keys) & (run_places[at] < places)
                pairs.append(np.stack([places[hit], run_places[at][hit].astype(np.int64)], axis=1))
        return np.concatenate(pairs)
