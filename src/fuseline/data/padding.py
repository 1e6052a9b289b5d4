"""Texts of several lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Texts are padded to few widths: those below eight tokens to their own, longer ones to steps of at
# most a fourth, and of eight tokens at most.
WIDEST_STEP = 8


def padded_widths(lengths: np.ndarray) -> np.ndarray:
    """The widths (N,) that texts of so many tokens (N,) are padded to: of a text alone, whatever
    else its batch holds, so that it comes out the same beside any that share it."""
    fourths = np.exp2(np.floor(np.log2(np.maximum(lengths, 1))) - 2)
    steps = np.clip(fourths, 1, WIDEST_STEP).astype(np.int64)
    return np.asarray(-(-lengths // steps) * steps)


def padded(sequences: Sequence[np.ndarray], pad_token_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and attention mask (B, T) int64, T the padded width of the longest."""
    width = int(padded_widths(np.array([len(ids) for ids in sequences])).max())
    ids = np.full((len(sequences), width), pad_token_id, dtype=np.int64)
    mask = np.zeros((len(sequences), width), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask
