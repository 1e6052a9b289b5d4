"""What befalls recordings; all is measured by the clip's own power, peak or length.

Samples are (N,) float32 in [-1, 1], and stay so.
"""

from __future__ import annotations

import numpy as np

from fuseline.errors import ContractError
from fuseline.evaluation.stress.corruptions.severity import graded

NUM_SPANS = 20


def white_noise(samples: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """White noise at a ratio of powers, in decibels; silence has no power and stays silent."""
    ratio = graded((20.0, 15.0, 10.0, 5.0, 0.0), severity)
    clean = _checked(samples)
    noise = random.standard_normal(len(clean), dtype=np.float32)
    loudness = _loudness(clean) / _loudness(noise) * 10.0 ** (-ratio / 20.0)
    noisy: np.ndarray = np.clip(clean + np.float32(loudness) * noise, -1.0, 1.0)
    return noisy


def gain(samples: np.ndarray, severity: int, _random: np.random.Generator) -> np.ndarray:
    """Recorded too quietly, in decibels."""
    decibels = graded((-6.0, -12.0, -20.0, -30.0, -40.0), severity)
    return _checked(samples) * np.float32(10.0 ** (decibels / 20.0))


def clipping(samples: np.ndarray, severity: int, _random: np.random.Generator) -> np.ndarray:
    """Cut off at a share of the peak: overdriven."""
    share = graded((0.5, 0.35, 0.2, 0.1, 0.05), severity)
    limit = np.float32(share) * np.abs(_checked(samples)).max()
    clipped: np.ndarray = np.clip(samples, -limit, limit)
    return clipped


def time_shift(samples: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Begun too late or stopped too early: a share of the clip is lost at one end, and as much
    silence stands at the other."""
    share = graded((0.05, 0.1, 0.2, 0.35, 0.5), severity)
    lost = round(share * len(_checked(samples)))
    kept, silence = len(samples) - lost, np.zeros(lost, dtype=np.float32)
    if random.random() < 0.5:
        return np.concatenate([samples[lost:], silence])
    return np.concatenate([silence, samples[:kept]])


def dropout(samples: np.ndarray, severity: int, random: np.random.Generator) -> np.ndarray:
    """Spans of a twentieth of the clip are silent, as where packets are lost."""
    silent = graded((1, 2, 4, 7, 10), severity)
    ends = np.linspace(0, len(_checked(samples)), NUM_SPANS + 1).round().astype(int)
    broken = samples.copy()
    for span in random.permutation(NUM_SPANS)[:silent]:
        broken[ends[span] : ends[span + 1]] = 0.0
    return broken


def _checked(samples: np.ndarray) -> np.ndarray:
    if samples.dtype != np.float32 or samples.ndim != 1 or not len(samples):
        raise ContractError(
            "recording to corrupt: expected (N,) float32 with at least one sample, found"
            f" {samples.shape} {samples.dtype}. Average its channels first."
        )
    return samples


def _loudness(samples: np.ndarray) -> float:
    """Root of the mean power."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
