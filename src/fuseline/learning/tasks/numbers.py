"""What tasks with a number as their target share."""

from __future__ import annotations

import numpy as np

from fuseline.errors import ContractError
from fuseline.learning.tasks.base import Cells


def numbers(cells: Cells) -> np.ndarray:
    """(N,) float64, not a number where there is no cell: float32 would round a time in seconds to
    minutes."""
    return np.array([np.nan if cell is None else float(cell) for cell in cells.values], np.float64)


def training_numbers(cells: Cells) -> np.ndarray:
    """(M,) float64, those of the training rows.

    Raises:
        ContractError: they do not differ.
    """
    values = numbers(cells)[cells.data.splits == "train"]
    known = values[np.isfinite(values)]
    if len(np.unique(known)) < 2:
        raise ContractError(
            f"{cells.where}: expected numbers that differ in the training split, found"
            f" {len(known)} rows and {len(np.unique(known))} values. Choose another target."
        )
    return np.asarray(known)
