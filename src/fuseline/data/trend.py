"""How much is done with items, and how lately: the trend at a time.

Shapes: E events, N items, F features.
"""

from __future__ import annotations

import numpy as np

from fuseline.data.interactions import DAY, Interactions

# Days in which an event comes to count half.
HALF_LIVES = (1.0, 3.0, 7.0, 14.0, 30.0)
# Behind a rate for each half-life: the logarithms of all events, and of the days since the first.
NUM_FEATURES = len(HALF_LIVES) + 2
# Events a day that an item without any counts as having.
LEAST_RATE = 0.01


def trend(past: Interactions, at: int, num_items: int) -> np.ndarray:
    """Features (N, F) float32 of items by what was done with them before a time.

    By half-life the logarithm of events a day, each counting 0.5^(age / half-life); the logarithm
    of 1 more than all events; and that of 1 more than the days since the first, 0 of an item
    without any.

    Args:
        past: events; those from `at` on play no part.
        at: the time, in seconds since 1970.
        num_items: N.
    """
    past = past.between(end=at)
    ages = (at - past.time) / DAY
    columns = []
    for half_life in HALF_LIVES:
        counts = np.bincount(past.item, weights=0.5 ** (ages / half_life), minlength=num_items)
        columns.append(np.log(counts * np.log(2) / half_life + LEAST_RATE))
    columns.append(np.log1p(np.bincount(past.item, minlength=num_items)))
    oldest = np.zeros(num_items)
    np.maximum.at(oldest, past.item, ages)
    columns.append(np.log1p(oldest))
    return np.stack(columns, axis=1).astype(np.float32)
