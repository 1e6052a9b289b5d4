"""Control tokens: what a text is asked to be like, in front of it.

Shapes: B batch, K controls, W width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fuseline.registry import suggestion

# By control one value for all rows, or one for each; None leaves it open.
Asked = Mapping[str, str | Sequence[str | None] | None]


class ControlTokens:
    """Numbers of the values of some controls (Keskar et al. 2019, arXiv 1909.05858): 0 stands for
    any, others count the control's values from 1.

    Args:
        values: known ones, by control; controls count in the order of their names, whatever order
            a saved configuration gives them.
    """

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self.values = {name: list(known) for name, known in sorted(values.items())}

    def __len__(self) -> int:
        return len(self.values)

    @property
    def count(self) -> int:
        """Tokens of all controls, one for any value of each among them."""
        return sum(1 + len(known) for known in self.values.values())

    def numbers(self, asked: Asked, rows: int) -> Tensor:
        """(B, K) int64 numbers; a control that is left out may have any value.

        Raises:
            ValueError: a control or a value that is not known, or values for other rows.
        """
        for name in asked:
            if name not in self.values:
                known = f"one of {', '.join(self.values)}" if self.values else "none"
                raise ValueError(
                    f"controls: expected {known}, as this model was trained; found '{name}'."
                    f"{suggestion(name, list(self.values))}"
                )
        columns = [self._column(name, asked.get(name), rows) for name in self.values]
        return torch.tensor(columns, dtype=torch.long).reshape(len(self), rows).T

    def _column(self, name: str, asked: str | Sequence[str | None] | None, rows: int) -> list[int]:
        each = [asked] * rows if asked is None or isinstance(asked, str) else list(asked)
        if len(each) != rows:
            raise ValueError(
                f"controls: {name} has {len(each)} values, but the batch {rows} rows. Give one"
                " value for all rows, or one for each."
            )
        return [self._number(name, value) for value in each]

    def _number(self, name: str, value: str | None) -> int:
        known = self.values[name]
        if value is None:
            return 0
        if value not in known:
            raise ValueError(
                f"controls: expected {name} to be one of {', '.join(known)}; found '{value}'."
                f"{suggestion(value, known)}"
            )
        return 1 + known.index(value)

    def tokens(self, numbers: Tensor) -> Tensor:
        """(B, K) each in the place of its control among the tokens of all, from 0."""
        sizes = torch.tensor([0, *(1 + len(known) for known in self.values.values())])
        return numbers + sizes.cumsum(0)[:-1].to(numbers.device)


class ControlledEmbedding(nn.Embedding):
    """Word embeddings (V, W), and those of control tokens from V on, which nobody can write: the
    output layer shares the words' matrix alone.

    Args:
        words: whose matrix to hold.
        count: of the control tokens.
    """

    def __init__(self, words: nn.Embedding, count: int) -> None:
        super().__init__(words.num_embeddings, words.embedding_dim, words.padding_idx)
        self.weight = words.weight
        self.controls = nn.Embedding(count, words.embedding_dim)

    def forward(self, input: Tensor) -> Tensor:
        control = input - self.num_embeddings
        words = super().forward(input.clamp_max(self.num_embeddings - 1))
        controls = self.controls(control.clamp_min(0))
        return torch.where((control >= 0).unsqueeze(-1), controls, words)
