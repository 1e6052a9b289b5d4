"""Which split a group belongs to: a salted hash, held to the shares label by label."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from fuseline.contracts import SPLITS
from fuseline.params.ingest import SplitParams

# As many bits as a float holds exactly.
_BITS = 53
# What rounding may leave of a nought.
_ROUNDING = 1e-9
# Of a split that the label lacks, but all groups together have too much of.
_LEAST_WEIGHT = 0.02
# More groups than these meet the shares well enough by the hash alone.
HELD_GROUPS = 20
# Those of all labels that count together: enough to keep labels of few groups from leaning.
HELD_TOGETHER = 200


class Splitter:
    """Gives new groups their splits, in the order in which they come.

    Of the first n groups of a label, up to `HELD_GROUPS`, each split has more than `share * n - 1`
    and fewer than `share * n + 1`. All further groups follow their hash alone. So groups that come
    later move none that were there, and rows that come between others, go, or change their label
    move a few groups of their label at most.

    A split lacks its share of the groups, the new one included, less those that it has. What all
    lack sums to one, and none lacks less than minus one. Whatever lacks one of the label is due,
    and no other can be. Otherwise the hash of the group's name decides among those that lack some
    of the label, each as likely as what it lacks of the label's groups and of all groups together:
    the shares are met on average, and few groups soon lie in every split. All groups count together
    only until there are `HELD_TOGETHER` of them.
    """

    def __init__(self, params: SplitParams) -> None:
        self._params = params
        self._shares = (params.train, params.dev, params.test)
        self._all = [0] * len(SPLITS)
        self._by_label: dict[str, list[int]] = {}

    def assign(self, group: str, label: str | None) -> str:
        """Split of a new group, given the label of its first row; by the hash alone without."""
        if label is None:
            return split_of(group, self._params)
        counts = self._by_label.setdefault(label, [0] * len(SPLITS))
        if sum(counts) == HELD_GROUPS:
            return split_of(group, self._params)
        together = sum(self._all) < HELD_TOGETHER
        of_all = self._lacking(self._all) if together else [0.0] * len(SPLITS)
        chosen = self._choose(group, self._lacking(counts), of_all)
        counts[chosen] += 1
        self._all[chosen] += together
        return SPLITS[chosen]

    def _choose(self, group: str, of_label: list[float], of_all: list[float]) -> int:
        most = max(of_label)
        if most >= 1 - _ROUNDING:
            return of_label.index(most)
        weights = [
            max(lack + lack_of_all, _LEAST_WEIGHT) if lack > _ROUNDING else 0.0
            for lack, lack_of_all in zip(of_label, of_all, strict=True)
        ]
        return _at(_position(group, self._params.salt) * sum(weights), weights)

    def _lacking(self, counts: list[int]) -> list[float]:
        groups = sum(counts) + 1
        return [share * groups - have for share, have in zip(self._shares, counts, strict=True)]


def shares_of_train(params: SplitParams) -> SplitParams:
    """The shares by which given training rows are divided among training and the splits that take
    theirs of them."""
    taken: dict[str, float] = {name: getattr(params, name) for name in params.from_train}
    total = params.train + sum(taken.values())
    shares = {name: taken.get(name, 0.0) / total for name in SPLITS} | {
        "train": params.train / total
    }
    return params.model_copy(update=shares)


def split_of(group: str, params: SplitParams) -> str:
    """Return `train`, `dev` or `test` as the hash of a group's name says.

    A pure function of the group's name, the salt and the shares: no other row matters. The
    shares are those of groups, and met on average; raising a share moves groups only into it.
    """
    shares = (params.train, params.dev, params.test)
    return SPLITS[_at(_position(group, params.salt), shares)]


def _at(position: float, widths: Sequence[float]) -> int:
    """Which of the intervals that follow each other from 0 a position lies in."""
    end, last = 0.0, 0
    for index, width in enumerate(widths):
        end += width
        if width:
            last = index
            if position < end:
                break
    # Where rounding leaves a gap at the end, the last interval fills it.
    return last


def _position(group: str, salt: int) -> float:
    """Even in [0, 1) over groups, independent between salts."""
    digest = hashlib.sha256(f"{salt}\0{group}".encode()).digest()
    return math.ldexp(int.from_bytes(digest[:8], "big") >> (64 - _BITS), -_BITS)
