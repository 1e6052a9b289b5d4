"""Which rows an encoding may learn from."""

from __future__ import annotations


def fitting_rows(total: int) -> int:
    """How many of a table's first rows scalers, categories and vocabularies are fitted on.

    It is the largest power of two not above `total`. Rows that are added later so leave the
    encoding, and with it every shard written before, as they were, until the table doubles. Of
    these rows, those of the training split count.
    """
    return 1 << (total.bit_length() - 1) if total > 0 else 0
