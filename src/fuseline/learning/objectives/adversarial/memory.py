"""Deltas by row, kept between epochs."""

from __future__ import annotations

import torch
from torch import Tensor

PREFIX = "delta."


class DeltaMemory:
    """One delta by space and row, cut behind the last position that moves, in bfloat16."""

    def __init__(self) -> None:
        self._deltas: dict[str, dict[int, Tensor]] = {}

    def recall(self, space: str, rows: Tensor, zero: Tensor) -> Tensor:
        """What was kept for `rows` (B,) in a tensor like `zero` (B, T, D); zeros for the rest."""
        known, found = self._deltas.get(space, {}), zero.clone()
        for place, row in enumerate(rows.tolist()):
            if row in known:
                delta = known[row]
                found[place, : len(delta)] = delta
        return found

    def keep(self, space: str, rows: Tensor, deltas: Tensor, mask: Tensor) -> None:
        """Keep deltas (B, T, D) of `rows` whose `mask` (B, T) lets any position move; what was
        kept for others stays."""
        known = self._deltas.setdefault(space, {})
        ends = (mask * torch.arange(1, mask.shape[1] + 1)).amax(1)
        for delta, row, end in zip(deltas, rows.tolist(), ends.tolist(), strict=True):
            if end:
                known[row] = delta[:end].to(torch.bfloat16)

    def state_dict(self) -> dict[str, Tensor]:
        """By space the rows' numbers, the lengths of their deltas, and these in one piece."""
        state = {}
        for space, known in self._deltas.items():
            rows = sorted(known)
            state[f"{PREFIX}{space}.rows"] = torch.tensor(rows)
            state[f"{PREFIX}{space}.lengths"] = torch.tensor([len(known[row]) for row in rows])
            state[f"{PREFIX}{space}.values"] = torch.cat([known[row] for row in rows])
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Go on from a state; what it holds beside deltas is given back."""
        self._deltas = {}
        for name, numbers in state.items():
            if name.startswith(PREFIX) and name.endswith(".rows"):
                space = name.removeprefix(PREFIX).removesuffix(".rows")
                lengths = state[f"{PREFIX}{space}.lengths"].tolist()
                parts = torch.split(state[f"{PREFIX}{space}.values"], lengths)
                self._deltas[space] = {
                    row: part.clone() for row, part in zip(numbers.tolist(), parts, strict=True)
                }
        return {name: value for name, value in state.items() if not name.startswith(PREFIX)}
