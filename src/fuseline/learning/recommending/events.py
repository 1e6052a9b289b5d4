"""Events as training rows: somebody took an item, given what was known some days before.

Shapes: R rows, E rows of a batch, B of them encoded anew, N items, L events of a history,
F features of the trend.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch.utils.data import Sampler

from fuseline.data.dataset import Batch, MultimodalData
from fuseline.data.histories import Histories
from fuseline.data.interactions import DAY, Interactions
from fuseline.data.trend import trend

# Looks back within one horizon.
LOOKS = 4


@dataclass(frozen=True)
class Events:
    """R events as rows: the item that somebody took, and the time up to which that person's history
    and the trend are known.

    A list is used for a while after it was made. So each row looks back at a time that lies up to a
    horizon before its event, and a batch holds rows of one such time.

    Attributes:
        items: all N items.
        histories: of everybody.
        known: the events that trends and histories are of.
        user, item, at: (R,) int64: who, which item, and the time of what is known, in seconds.
        length: L.
        group: rows for each one whose item is encoded anew.
    """

    items: MultimodalData
    histories: Histories
    known: Interactions
    user: np.ndarray
    item: np.ndarray
    at: np.ndarray
    length: int
    group: int

    def __len__(self) -> int:
        return len(self.user)

    @property
    def lengths(self) -> np.ndarray:
        """(R,) number of tokens of the items."""
        return np.asarray(self.items.lengths[self.item])

    @property
    def pixels(self) -> object:
        """Of the items, as `MultimodalData` has it."""
        return self.items.pixels

    def labels_of(self, key: str) -> np.ndarray:
        """Labels (R, ...) of the items."""
        return np.asarray(self.items.labels_of(key)[self.item])

    def take(self, rows: np.ndarray) -> Events:
        """Rows by number."""
        fields = vars(self) | {name: getattr(self, name)[rows] for name in ("user", "item", "at")}
        return Events(**{name: fields[name] for name in self.__dataclass_fields__})

    @cached_property
    def trends(self) -> dict[int, torch.Tensor]:
        """(N, F) by time."""
        return {
            int(at): torch.from_numpy(trend(self.known, int(at), len(self.items)))
            for at in np.unique(self.at)
        }

    def batch(self, rows: np.ndarray | Sequence[int]) -> Batch:
        """Tensors of some rows of one time, of which the first are encoded anew.

        Returns:
            Those of the first B rows' items, one for each `group` of rows, as
            `MultimodalData.batch` has them; of all E rows `users` and `taken`, the items, (E,)
            int64, `history` (E, L) int64 row numbers of items, the newest first, `NOTHING` behind,
            and `history_ages` (E, L) float32 days; and `trend` (N, F) float32.
        """
        rows = np.asarray(rows)
        at = int(self.at[rows[0]])
        history, ages = self.histories.before(self.user[rows], at, self.length)
        new = self.items.batch(self.item[rows[: -(-len(rows) // self.group)]])
        return new | {
            "users": torch.from_numpy(self.user[rows]),
            "taken": torch.from_numpy(self.item[rows]),
            "history": torch.from_numpy(history),
            "history_ages": torch.from_numpy(ages),
            "trend": self.trends[at],
        }


class TimedBatches(Sampler[list[int]]):
    """Batches of rows of one time, in an order that a seed and the epoch fix.

    Every row comes once an epoch; the last batch of a time may be smaller.

    Args:
        at: (R,) the rows' times.
        batch_size: rows a batch.
        seed: with the epoch, fixes the order.
    """

    def __init__(self, at: np.ndarray, batch_size: int, seed: int) -> None:
        self.by_time = [np.flatnonzero(at == time) for time in np.unique(at)]
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(-(-len(rows) // self.batch_size) for rows in self.by_time)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        batches: list[list[int]] = []
        for rows in self.by_time:
            shuffled = random.permutation(rows)
            cuts = range(0, len(rows), self.batch_size)
            batches.extend(shuffled[cut : cut + self.batch_size].tolist() for cut in cuts)
        for batch in random.permutation(len(batches)):
            yield batches[batch]


def rows_to_learn(interactions: Interactions, horizon_days: float, seed: int) -> np.ndarray:
    """Which training events are rows, and what time each looks back at.

    Args:
        interactions: all events.
        horizon_days: a row looks back at a time up to so much before its event.
        seed: of the times.

    Returns:
        (2, R) int64: numbers of the events, and times in seconds. Events of the first horizon,
        which have no past, are left out; so are those of items that the person had before.
    """
    past = interactions.between(end=interactions.dev_from)
    step = max(1, int(horizon_days * DAY / LOOKS))
    back = np.random.default_rng(seed).integers(0, LOOKS, len(past))
    # Times on a grid that ends where training does.
    places = (interactions.dev_from - past.time + step - 1) // step + back
    at = interactions.dev_from - places * step
    if not len(past):
        return np.empty((2, 0), dtype=np.int64)
    rows = np.flatnonzero((at >= past.time[0] + LOOKS * step) & is_first(past))
    return np.stack([rows, at[rows]])


def is_first(interactions: Interactions) -> np.ndarray:
    """(E,) bool: a person's first event with an item."""
    pairs = np.stack([interactions.user, interactions.item], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    found = np.zeros(len(interactions), dtype=bool)
    found[first] = True
    return found
