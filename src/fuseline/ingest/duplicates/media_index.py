"""Media that look or sound like earlier ones: every pair is compared, by bits first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuseline.ingest.duplicates.rows import GrowingArray
from fuseline.ingest.fingerprints import AUDIO_SKETCH, IMAGE_SKETCH, VIDEO_FRAMES
from fuseline.params.ingest import DuplicateParams

# How far sketches of 8-bit values may lie apart. Measured over 1,900 emoji: a JPEG of quality 30
# moves a value by 20 and the mean by 2, while a frown moves some value by 27 or more.
PICTURE_MEAN, PICTURE_MAX = 4.0, 24
SOUND_MEAN = 12.0
SOUND_LENGTH_SHARE = 0.05
# New rows compared with all earlier ones at a time.
_ROWS_AT_A_TIME = 64


def _pictures_alike(sketches: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,) bool of (n, bytes) against (bytes,) uint8."""
    apart = np.abs(sketches.astype(np.int16) - other.astype(np.int16))
    return np.asarray((apart.mean(axis=1) <= PICTURE_MEAN) & (apart.max(axis=1) <= PICTURE_MAX))


def _sounds_alike(sketches: np.ndarray, other: np.ndarray) -> np.ndarray:
    apart = np.abs(sketches[:, 2:].astype(np.int16) - other[2:].astype(np.int16))
    lengths = sketches[:, :2].astype(np.int64) @ np.array([256, 1])
    length = int(other[0]) * 256 + int(other[1])
    same_length = np.abs(lengths - length) <= max(2, SOUND_LENGTH_SHARE * length)
    return np.asarray((apart.mean(axis=1) <= SOUND_MEAN) & same_length)


_PICTURE_BYTES = int(np.prod(IMAGE_SKETCH))
_SOUND_BYTES = int(np.prod(AUDIO_SKETCH))
HASH_BYTES = {"image": 8, "video": 8 * VIDEO_FRAMES, "audio": 64}
SKETCH_BYTES = {
    "image": _PICTURE_BYTES,
    "video": VIDEO_FRAMES * _PICTURE_BYTES,
    "audio": 2 + _SOUND_BYTES,
}


def most_bits(medium: str, params: DuplicateParams) -> int:
    """Bits by which hashes of copies may differ."""
    if medium == "audio":
        return int(params.audio_distance * 8 * HASH_BYTES["audio"])
    return params.image_distance * (VIDEO_FRAMES if medium == "video" else 1)


class MediaIndex:
    """Fingerprints of one medium, in the order of their rows.

    Args:
        medium: `image`, `audio` or `video`.
        params: how far apart copies may lie.
    """

    def __init__(self, medium: str, params: DuplicateParams) -> None:
        self._most_bits = most_bits(medium, params)
        self._hash_bytes = HASH_BYTES[medium]
        self._alike = _sounds_alike if medium == "audio" else _pictures_alike
        self._hashes = GrowingArray(self._hash_bytes // 8, np.uint64)
        self._sketches = GrowingArray(SKETCH_BYTES[medium], np.uint8)
        self._rows = GrowingArray(1, np.int64)

    def add(self, rows: Sequence[int], fingerprints: Sequence[bytes]) -> dict[int, np.ndarray]:
        """Add rows, and find the earlier rows that each of them is like.

        Args:
            rows: numbers that rise from call to call.
            fingerprints: of these rows, of one length.

        Returns:
            by row that has any, the numbers (n,) int64 of the earlier rows, rising.
        """
        if not rows:
            return {}
        content = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(len(rows), -1)
        hashes = np.ascontiguousarray(content[:, : self._hash_bytes]).view(np.uint64)
        first = len(self._rows)
        self._hashes.extend(hashes)
        self._sketches.extend(content[:, self._hash_bytes :])
        self._rows.extend(np.asarray(rows, np.int64)[:, None])
        found = {}
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            near = self._near(hashes[start : start + _ROWS_AT_A_TIME])
            for place, row in enumerate(rows[start : start + _ROWS_AT_A_TIME]):
                earlier = self._confirmed(near[place], first + start + place)
                if len(earlier):
                    found[row] = earlier
        return found

    def _near(self, hashes: np.ndarray) -> np.ndarray:
        """(n, N) bool: pairs whose hashes differ by few bits."""
        known = self._hashes.values
        apart = np.zeros((len(hashes), len(known)), np.uint16)
        for word in range(known.shape[1]):
            apart += np.bitwise_count(hashes[:, word, None] ^ known[None, :, word])
        return apart <= self._most_bits

    def _confirmed(self, near: np.ndarray, place: int) -> np.ndarray:
        candidates = np.flatnonzero(near[:place])
        if not len(candidates):
            return candidates
        sketches = self._sketches.values
        alike = candidates[self._alike(sketches[candidates], sketches[place])]
        return np.asarray(self._rows.values[alike, 0])
