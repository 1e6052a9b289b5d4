"""Sound of one channel, and how decoders make it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fuseline.data.media import MediaError, MediaTooLarge

# Outside of these a header is wrong, and resampling would multiply the samples by thousands.
MIN_SAMPLING_RATE, MAX_SAMPLING_RATE = 1_000, 768_000


@dataclass(frozen=True)
class Waveform:
    """Sound of one channel.

    Attributes:
        samples: (N,) float32 in [-1, 1], at least one.
        sampling_rate: in Hz.
    """

    samples: np.ndarray
    sampling_rate: int

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / self.sampling_rate


def check_sampling_rate(sampling_rate: int) -> None:
    """Raise MediaError where a rate in Hz is no sound's."""
    if not MIN_SAMPLING_RATE <= sampling_rate <= MAX_SAMPLING_RATE:
        raise MediaError(
            f"a sampling rate of {sampling_rate} Hz; {MIN_SAMPLING_RATE} to {MAX_SAMPLING_RATE}"
            " are read"
        )


def join_blocks(
    blocks: Iterator[np.ndarray], sampling_rate: int, max_seconds: float | None
) -> np.ndarray:
    """Average the channels of blocks (n, channels) float32 and join them to (N,) in [-1, 1].

    Raises:
        MediaError: no samples, or one that is not finite.
        MediaTooLarge: longer than `max_seconds`; the other blocks are not asked for.
    """
    limit = math.inf if max_seconds is None else max_seconds * sampling_rate
    parts, total = [], 0
    for block in blocks:
        total += len(block)
        if total > limit:
            raise MediaTooLarge(f"longer than {max_seconds:g} seconds")
        if not np.isfinite(block).all():
            raise MediaError("a sample is not a finite number")
        parts.append(block.mean(axis=1, dtype=np.float64))
    if not total:
        raise MediaError("without samples")
    samples = np.concatenate(parts)
    peak = np.abs(samples).max()
    scaled: np.ndarray = (samples / max(peak, 1.0)).astype(np.float32)
    return scaled
