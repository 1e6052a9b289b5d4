"""Distinct contents of one modality, numbered in the order in which they came."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Matches:
    """What a block of rows holds of one modality.

    Attributes:
        values: by row, the number of its content; -1 where it has none.
        near: by value, the numbers of others that are nearly equal, in rising order. They may
            include some that come later.
        weak: values that say too little to be evidence of a copy on their own.
    """

    values: list[int]
    near: dict[int, list[int]]
    weak: frozenset[int] = frozenset()


class Numbering:
    """Numbers distinct contents by their digest: some 170 bytes each are all that is kept."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def number(self, contents: Iterable[bytes]) -> list[int]:
        """Numbers of contents; a new one takes the next."""
        numbers = self._numbers
        return [
            numbers.setdefault(hashlib.blake2b(content, digest_size=16).digest(), len(numbers))
            for content in contents
        ]

    def __len__(self) -> int:
        return len(self._numbers)


def by_value(queries: np.ndarray, found: np.ndarray) -> dict[int, list[int]]:
    """Pairs of a value and one near it as lists by value, each rising and without repetition."""
    near: dict[int, list[int]] = {}
    pairs = np.unique(queries.astype(np.uint64) << np.uint64(32) | found.astype(np.uint64))
    for query, other in zip(
        (pairs >> np.uint64(32)).tolist(), (pairs & np.uint64(2**32 - 1)).tolist(), strict=True
    ):
        near.setdefault(query, []).append(other)
    return near
