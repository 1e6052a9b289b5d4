"""Rows of earlier batches, kept as negatives."""

from __future__ import annotations

import torch
from torch import Tensor

from fuseline.errors import ContractError
from fuseline.learning.objectives.matching import Identities


class NegativeQueue:
    """A ring of the last rows with two modalities or more, each with the vectors and identities
    that it had when it was trained on.

    Args:
        size: rows; memory for them is taken at the first `push`.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        # Flat, so that they are their own state: (size, ...) each, slots in the order of writing.
        self._columns: dict[str, Tensor] = {}
        self._written = 0

    def __len__(self) -> int:
        """Number of slots with a row."""
        return min(self._written, self.size)

    def vectors(self, modality: str) -> Tensor:
        """(K, S) unit vectors of the rows; of a row without the modality they say nothing."""
        # A copy: the loss's graph holds it, and the next rows are written before backward.
        return self._columns[f"vectors.{modality}"][: len(self)].clone()

    @property
    def identities(self) -> Identities:
        """Of the K rows, in the order of `vectors`."""
        return Identities(
            self._columns["groups"][: len(self)], self._family("contents"), self._family("present")
        )

    def push(self, vectors: dict[str, Tensor], rows: Identities) -> None:
        """Write B rows over the oldest.

        Args:
            vectors: by modality, (B, S); their graph is not kept.
            rows: B identities.
        """
        # A row with one modality is in no pair, and would only take the slot of one that is.
        paired = torch.stack([rows.present[name] for name in vectors]).sum(0) > 1
        rows = rows.take(paired)
        columns = {"groups": rows.groups}
        columns |= {f"vectors.{name}": values[paired].detach() for name, values in vectors.items()}
        columns |= {f"contents.{name}": values for name, values in rows.contents.items()}
        columns |= {f"present.{name}": values for name, values in rows.present.items()}
        if not self._columns:
            self._columns = {
                name: values.new_zeros(self.size, *values.shape[1:])
                for name, values in columns.items()
            }
        end = self._written + len(rows.groups)
        # Of more rows than slots, only the last find one.
        slots = torch.arange(self._written, end)[-self.size :] % self.size
        for name, values in columns.items():
            self._columns[name][slots] = values[-self.size :]
        self._written = end

    def state_dict(self) -> dict[str, Tensor]:
        """All that is needed to go on; empty before the first row."""
        if not self._columns:
            return {}
        return self._columns | {"written": torch.tensor(self._written)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a state.

        Raises:
            ContractError: the state of a queue of another size.
        """
        columns = {name: values.clone() for name, values in state.items()}
        written = int(columns.pop("written", torch.tensor(0)))
        if columns and len(columns["groups"]) != self.size:
            raise ContractError(
                f"checkpoint: its contrastive queue has {len(columns['groups'])} rows,"
                f" pretrain.objectives.contrastive_queue_size is {self.size}."
                " Train in another work folder, or remove its checkpoints."
            )
        self._columns, self._written = columns, written

    def _family(self, kind: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(f"{kind}."): values[: len(self)]
            for name, values in self._columns.items()
            if name.startswith(f"{kind}.")
        }
