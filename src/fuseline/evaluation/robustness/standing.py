"""Which rows still stand at which radius, and what that adds up to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class Standing:
    """Rows by the radii at which an attack broke them.

    A row broken within a ball is broken within every larger one: its delta lies in there too.
    So `robust_accuracy` never rises with the scale. Rows that were wrong without an attack never
    stand.

    Args:
        correct: (N,) bool, right without an attack.
        scales: S rising factors on epsilon.
    """

    def __init__(self, correct: np.ndarray, scales: list[float]) -> None:
        self.correct = correct
        self.scales = scales
        self.attacked = np.zeros((len(scales), len(correct)), dtype=bool)
        self._broken = np.zeros((len(scales), len(correct)), dtype=bool)
        self._broken_by_fgm = np.zeros((len(scales), len(correct)), dtype=bool)

    def state(self) -> dict[str, np.ndarray]:
        """What was noted so far."""
        return {
            "attacked": self.attacked,
            "broken": self._broken,
            "broken_by_fgm": self._broken_by_fgm,
        }

    def put(self, rows: np.ndarray, state: Mapping[str, np.ndarray]) -> None:
        """Note the `state` of some of the rows."""
        self.attacked[:, rows] = state["attacked"]
        self._broken[:, rows] = state["broken"]
        self._broken_by_fgm[:, rows] = state["broken_by_fgm"]

    def break_rows(self, index: int, rows: np.ndarray, *, by_fgm: bool = False) -> None:
        """Note that `rows` fell at scale `index`."""
        self._broken[index, rows] = True
        if by_fgm:
            self._broken_by_fgm[index, rows] = True

    def at(self, index: int) -> np.ndarray:
        """(N,) bool: right, and not broken at this scale or a smaller one."""
        return np.asarray(self.correct & ~self._broken[: index + 1].any(0))

    def under_fgm(self, index: int) -> np.ndarray:
        """(N,) bool: right, and not broken by FGM at this scale."""
        return np.asarray(self.correct & ~self._broken_by_fgm[index])

    def worth_attacking(self, index: int, headline: int) -> np.ndarray:
        """Rows to attack at scale `index`, once the scales between it and the headline are done.

        Going up from the headline, the rows that stood so far. Going down, the rows that fell at
        the next larger scale: one that withstood the whole attack within a larger ball is counted
        as withstanding it within a smaller one.
        """
        candidates = self.at(index)
        if index < headline:
            candidates &= ~self.at(index + 1)
        return np.flatnonzero(candidates)

    def curve(self) -> list[dict[str, float]]:
        """Per scale: robust accuracy, the same under FGM alone, and the share of rows that PGD
        had to attack."""
        return [
            {
                "scale": scale,
                "robust_accuracy": float(self.at(index).mean()),
                "fgm_robust_accuracy": float(self.under_fgm(index).mean()),
                "attacked_share": float(self.attacked[index].mean()),
            }
            for index, scale in enumerate(self.scales)
        ]

    def headline(self, index: int) -> dict[str, Any]:
        """`robust_accuracy` over all rows; `attack_success_rate` over those right before."""
        standing = self.at(index)
        right = max(int(self.correct.sum()), 1)
        return {
            "robust_accuracy": float(standing.mean()),
            "attack_success_rate": float((self.correct & ~standing).sum() / right),
        }
