"""Which training rows a k-shot run sees."""

from __future__ import annotations

import numpy as np

from fuseline.data.dataset import MultimodalData


def cell_seed(base_seed: int, seed: int, shots: int) -> int:
    """Seed of one k-shot run, the same whatever ran before it."""
    return int(np.random.SeedSequence([base_seed, seed, shots]).generate_state(1)[0])


def draw_shots(data: MultimodalData, shots: int, *, base_seed: int, seed: int) -> np.ndarray:
    """Rows of the training split, up to `shots` of every label; sorted indices into `data`.

    Draws of one seed are nested: eight shots hold the four. So a curve over shots shows what
    more rows give, not what other rows give. A label with fewer rows gives all that it has.
    """
    random = np.random.default_rng([base_seed, seed])
    train = data.splits == "train"
    chosen = [
        random.permutation(np.flatnonzero(train & (data.labels == label)))[:shots]
        for label in range(len(data.label_names))
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def short_labels(data: MultimodalData, shots: int) -> int:
    """How many labels have fewer training rows than `shots`."""
    counts = np.bincount(data.labels[data.splits == "train"], minlength=len(data.label_names))
    return int((counts < shots).sum())
