"""The head of recommendations: a tower for items, one for people, and the trend.

Shapes: B batch, W common width, S width of the towers, N items, L events of a history, H heads,
M drawn items, F features of the trend.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fuseline.data.dataset import Batch
from fuseline.data.histories import NOTHING
from fuseline.data.trend import HALF_LIVES, NUM_FEATURES
from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.output import FuselineOutput, HeadOutput


class PersonTower(nn.Module):
    """A person's vector from the last items of the history: attention with recency, in several
    heads (after Kang & McAuley 2018, arXiv 1808.09781, pooled by one learnt question). What each
    item of the history adds is a sum's part, so that reasons can be told exactly; nobody needs a
    vector of their own.

    Args:
        width: S.
        num_heads: H.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.key = nn.Linear(width, width)
        self.ask = nn.Linear(width, num_heads, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        # By the logarithm of an event's age, and by its place from the newest on.
        self.recency = nn.Parameter(torch.zeros(2, num_heads))
        # What attention has to look at beside the history, so that a short one counts less.
        self.nothing = nn.Parameter(torch.zeros(num_heads))
        self.constant = nn.Parameter(torch.zeros(width))

    def forward(self, history: Tensor, mask: Tensor, ages: Tensor) -> tuple[Tensor, Tensor]:
        """What each event adds (B, L, S), and what all people have in common (B, S); the sum of
        both is a person's vector.

        Args:
            history: (B, L, S) vectors of items, the newest first.
            mask: (B, L) bool, False behind the history's end.
            ages: (B, L) days since each event.
        """
        rows, length = history.shape[:2]
        places = torch.arange(length, device=history.device, dtype=history.dtype)
        late = torch.stack([ages.log1p(), places.log1p().expand(rows, -1)], dim=-1)
        scores = self.ask(torch.tanh(self.key(history))) - late @ self.recency
        scores = scores.masked_fill(~mask.unsqueeze(-1), -1e4)
        nothing = self.nothing.expand(rows, 1, -1)
        weights = torch.cat([scores, nothing], dim=1).softmax(1)[:, :-1]
        values = self.value(history).unflatten(-1, (self.num_heads, -1))
        parts = self.out((weights.unsqueeze(-1) * values).flatten(2))
        return parts, self.constant.expand(rows, -1)


class RecommendationHead(nn.Module):
    """How well items fit people, as a product of two towers and the trend's share.

    An item's vector is what the fused vector of its content says, a vector of its own that begins
    at zero, and what its trend says; of an item without events the content alone. A person's is
    made of the vectors of the last items. The trend adds a logarithm of events a day, over half-
    lives in learnt shares: popularity, which every model has to know.

    Logits are (B, B + M): of each row's person with the batch's items, the row's own on the
    diagonal, and with the drawn ones, less the logarithm of how often these are expected to be
    there, minus infinity where an item is no wrong answer.

    Args:
        config: of the model.
        facts: `width` S, `num_heads` H, `num_items` N.
    """

    content: Tensor

    def __init__(self, config: FuselineConfig, facts: dict[str, Any]) -> None:
        super().__init__()
        width = facts["width"]
        self.norm = nn.LayerNorm(config.hidden_size)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.project = nn.Linear(config.hidden_size, width)
        self.own = nn.Embedding(facts["num_items"], width)
        self.trend = nn.Linear(NUM_FEATURES, width, bias=False)
        self.person = PersonTower(width, facts["num_heads"])
        self.half_lives = nn.Parameter(torch.zeros(len(HALF_LIVES)))
        self.popularity = nn.Parameter(torch.ones(()))
        # Of all items, as the model last encoded them: what histories and drawn items are read as.
        self.register_buffer("content", torch.zeros(facts["num_items"], width))

    @torch.no_grad()
    def reset(self) -> None:
        """Begin with popularity alone."""
        for parameter in (self.own.weight, self.trend.weight, self.half_lives, self.content):
            parameter.zero_()
        self.popularity.fill_(1.0)
        for parameter in (self.person.recency, self.person.nothing):
            parameter.zero_()
        self.person.constant.zero_()

    def encode(self, pooled: Tensor) -> Tensor:
        """What content says of items, (B, S), from fused vectors (B, W)."""
        vectors: Tensor = self.project(self.dropout(self.norm(pooled))).float()
        return vectors

    def vectors(self, items: Tensor, trend: Tensor) -> Tensor:
        """Vectors (..., S) of items (...) by number, with the trend (N, F)."""
        return self.content[items] + self._besides(items, trend)

    def _besides(self, items: Tensor, trend: Tensor) -> Tensor:
        vectors: Tensor = self.own(items) + self.trend(trend[items])
        return vectors

    def bias(self, trend: Tensor) -> Tensor:
        """What the trend (..., F) adds to a score, (...)."""
        rates = trend[..., : len(HALF_LIVES)] + self.half_lives.log_softmax(0)
        added: Tensor = self.popularity * rates.logsumexp(-1)
        return added

    def people(self, history: Tensor, ages: Tensor, trend: Tensor) -> Tensor:
        """Vectors (B, S) of people by the items (B, L) of their histories, `NOTHING` behind."""
        mask = history != NOTHING
        vectors = self.vectors(history.clamp_min(0), trend) * mask.unsqueeze(-1)
        parts, constant = self.person(vectors, mask, ages)
        vector: Tensor = constant + parts.sum(1)
        return vector

    def forward(self, output: FuselineOutput, batch: Batch) -> HeadOutput:
        content = self.encode(output.pooled)
        if "drawn" not in batch:
            # Items alone, without anybody to recommend them to.
            return HeadOutput(content)
        items, drawn, trend = batch["row_numbers"], batch["drawn"], batch["trend"]
        people = self.people(batch["history"], batch["history_ages"], trend)
        here = content + self._besides(items, trend)
        candidates = torch.cat([here, self.vectors(drawn, trend)])
        numbers = torch.cat([items, drawn])
        expected = batch["expected"][numbers].log()
        scores = people @ candidates.T + self.bias(trend[numbers])
        own = torch.eye(len(items), len(numbers), dtype=torch.bool, device=scores.device)
        corrected = torch.where(own, scores, scores - expected)
        return HeadOutput(corrected.masked_fill(_no_wrong_answer(batch, numbers), -torch.inf))


def _no_wrong_answer(batch: Batch, numbers: Tensor) -> Tensor:
    """(B, B + M) bool: candidates that are the row's own item elsewhere, or that the same person
    had before or took as another row of the batch."""
    items, users = batch["row_numbers"], batch["users"]
    same = items.unsqueeze(1) == numbers
    had = torch.zeros_like(same)
    for place in range(batch["history"].shape[1]):
        had |= batch["history"][:, place].unsqueeze(1) == numbers
    had[:, : len(items)] |= users.unsqueeze(1) == users
    wrong = same | had
    wrong.fill_diagonal_(False)
    return wrong
