"""How much is done with items, and how lately: the trend at a time.

Shapes: E events, N items, F features.
"""

from __future__ import annotations

import numpy as np

from fuseline.data.interactions import DAY, Interactions

# Days that are looked back, and days in which an event comes to count half.
WINDOWS = (1.0, 3.0, 5.0, 7.0, 10.0, 14.0, 30.0)
HALF_LIVES = (1.0, 2.0, 3.0, 5.0, 7.0, 14.0, 30.0)
# Ways to count events a day: whole ones within a window, or by half-life.
RATES = (
    *(f"within {days:g} days" for days in WINDOWS),
    *(f"half-life of {days:g} days" for days in HALF_LIVES),
)
# Behind a rate for each way: the logarithms of all events, and of the days since the first.
NUM_FEATURES = len(RATES) + 2
# Events a day that an item without any counts as having.
LEAST_RATE = 0.1


def trend(past: Interactions, at: int, num_items: int) -> np.ndarray:
    """Features (N, F) float32 of items by what was done with them before a time.

    For each of `RATES` the logarithm of events a day; the logarithm of 1 more than all events; and
    that of 1 more than the days since the first, 0 of an item without any.

    Args:
        past: events; those from `at` on play no part.
        at: the time, in seconds since 1970.
        num_items: N.
    """
    past = past.between(end=at)
    ages = (at - past.time) / DAY
    weights = [(ages <= days) / days for days in WINDOWS]
    weights += [0.5 ** (ages / days) * np.log(2) / days for days in HALF_LIVES]
    counts = [np.bincount(past.item, weights=one, minlength=num_items) for one in weights]
    columns = [np.log(rate + LEAST_RATE) for rate in counts]
    columns.append(np.log1p(np.bincount(past.item, minlength=num_items)))
    oldest = np.zeros(num_items)
    np.maximum.at(oldest, past.item, ages)
    columns.append(np.log1p(oldest))
    return np.stack(columns, axis=1).astype(np.float32)
