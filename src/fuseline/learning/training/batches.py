"""Batches of similar length, in an order that a seed and the epoch fix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Dataset, Sampler

from fuseline.data.dataset import MultimodalData
from fuseline.learning.recommending.events import Events, TimedBatches

# Rows of examples, or events of people with them.
TrainingRows = MultimodalData | Events

POOL_BATCHES = 16


class Rows(Dataset[int]):
    """Row numbers: batches are cut from arrays as a whole, not collated from rows."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, row: int) -> int:
        return row


class LengthGroupedBatches(Sampler[list[int]]):
    """Shuffles rows, sorts pools of them by length and cuts batches, so that little is padded.

    Every row comes once an epoch, or as often as it is drawn; the last batch may be smaller.

    Args:
        lengths: (N,) tokens of each row.
        batch_size: rows a batch.
        seed: with the epoch, fixes the order.
        draws: (N,) how often rows come, in proportion: an epoch draws N of them with replacement.
            None where each comes once.
    """

    def __init__(
        self, lengths: np.ndarray, batch_size: int, seed: int, draws: np.ndarray | None = None
    ) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.chances = None if draws is None else draws / draws.sum()
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = self._order(random)
        pool = self.batch_size * POOL_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(self.lengths[rows], kind="stable")]
            cuts = range(0, len(rows), self.batch_size)
            batches.extend(rows[cut : cut + self.batch_size].tolist() for cut in cuts)
        for batch in random.permutation(len(batches)):
            yield batches[batch]

    def _order(self, random: np.random.Generator) -> np.ndarray:
        """(N,) row numbers of an epoch."""
        rows = len(self.lengths)
        if self.chances is None:
            return random.permutation(rows)
        return random.choice(rows, size=rows, p=self.chances)


Batches = LengthGroupedBatches | TimedBatches


def batches_of(data: TrainingRows, batch_size: int, seed: int, draws: np.ndarray | None) -> Batches:
    """How some rows are cut into batches; see `LengthGroupedBatches`."""
    if isinstance(data, Events):
        return TimedBatches(data.at, batch_size * data.group, seed)
    return LengthGroupedBatches(data.lengths, batch_size, seed, draws)
