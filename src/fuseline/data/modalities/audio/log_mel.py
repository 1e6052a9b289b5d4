"""Log-mel spectra of sounds, pooled to even spans of time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from fuseline.params.extract_features import AudioFeatureParams

if TYPE_CHECKING:
    from fuseline.data.media.waveform import Waveform

LOG_MEL = "log_mel"
FRAME_SECONDS, HOP_SECONDS = 0.025, 0.010
# Powers below a clip's loudest by more than this many tens of decibels count as silence, and so
# does all that lies near the floor, whatever the loudest is.
DYNAMIC_RANGE = 8.0
FLOOR = 1e-10


class LogMel:
    """Log-mel spectra, pooled to even spans of time: mean and greatest value of each band."""

    def __init__(self, params: AudioFeatureParams) -> None:
        self.params = params
        self.shape = (params.positions, 2 * params.num_mels)
        self.facts: dict[str, Any] = {
            "encoder": LOG_MEL,
            "revision": hashlib.sha256(LOG_MEL.encode()).hexdigest(),
            "config": None,
            "sampling_rate": params.sampling_rate,
            "num_mels": params.num_mels,
        }

    def features(self, waveform: Waveform) -> np.ndarray:
        """(P, 2 M) float16 of one clip."""
        from fuseline.data.media.audio import resample

        samples = resample(waveform, self.params.sampling_rate).samples
        spectrum = log_mel(samples, self.params.sampling_rate, self.params.num_mels)
        pooled = [pool(spectrum, self.params.positions, how) for how in (np.mean, np.max)]
        return np.concatenate(pooled, axis=1).astype(np.float16)


def log_mel(samples: np.ndarray, sampling_rate: int, num_mels: int) -> np.ndarray:
    """Log-mel spectrum of a clip.

    Decimal logarithms of the power in mel bands are taken relative to the clip's loudest, so
    that a clip's loudness does not count, are cut at `DYNAMIC_RANGE` below it and brought to
    [-1, 1] (the cut and the scale are those of Radford et al. 2022, arXiv 2212.04356, which keeps
    the loudness). Silence is -1 throughout.

    Args:
        samples: (N,) float32 in [-1, 1].
        sampling_rate: in Hz.
        num_mels: M.

    Returns:
        (F, M) float32, a frame each 10 ms.
    """
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    frame = round(FRAME_SECONDS * sampling_rate)
    # Bins enough that even the narrowest band holds one.
    fft = 1 << (max(frame, 8 * num_mels, 512) - 1).bit_length()
    filters = mel_filter_bank(
        num_frequency_bins=fft // 2 + 1,
        num_mel_filters=num_mels,
        min_frequency=0.0,
        max_frequency=sampling_rate / 2,
        sampling_rate=sampling_rate,
        norm="slaney",
        mel_scale="slaney",
    )
    powers = spectrogram(
        np.pad(samples, (0, max(0, frame - len(samples)))),
        window_function(frame, "hann"),
        frame_length=frame,
        hop_length=round(HOP_SECONDS * sampling_rate),
        fft_length=fft,
        power=2.0,
        mel_filters=filters,
        mel_floor=FLOOR,
        log_mel="log10",
    )
    loudest = max(float(powers.max()), np.log10(FLOOR) + DYNAMIC_RANGE)
    relative = np.maximum(powers.T - loudest, -DYNAMIC_RANGE)
    scaled: np.ndarray = 1.0 + 2.0 * relative / DYNAMIC_RANGE
    return scaled.astype(np.float32)


def pool(states: np.ndarray, positions: int, how: Any) -> np.ndarray:
    """(F, D) to (P, D) over even spans of frames, which overlap where F is no multiple of P.

    A clip of fewer frames than positions is stretched: each frame stands in several spans.
    """
    frames = len(states)
    starts = [index * frames // positions for index in range(positions)]
    ends = [-(-(index + 1) * frames // positions) for index in range(positions)]
    return np.stack(
        [how(states[start:end], axis=0) for start, end in zip(starts, ends, strict=True)]
    )
