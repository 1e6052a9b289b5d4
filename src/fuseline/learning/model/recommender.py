"""The head of recommendations: a tower for items, one for people, and the trend.

Shapes: B rows of a batch, E events of it, W common width, S width of the towers, N items, L events
of a history, H heads, F features of the trend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fuseline.data.dataset import Batch
from fuseline.data.histories import NOTHING
from fuseline.data.trend import NUM_FEATURES, RATES, WINDOWS
from fuseline.learning.model.configuration import FuselineConfig
from fuseline.learning.model.item_content import Encoded, ItemContent
from fuseline.learning.model.output import FuselineOutput, HeadOutput

WEEK = WINDOWS.index(7.0)


class PersonTower(nn.Module):
    """A person's vector from the last items of the history: attention with recency, in several
    heads (after Kang & McAuley 2018, arXiv 1808.09781, pooled by one learnt question). What each
    item of the history adds is a sum's part, so that reasons can be told exactly; nobody needs a
    vector of their own.

    Args:
        width: S.
        num_heads: H.
    """

    share: Tensor

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
        # Of what a person's vector says beside the trend; chosen after training.
        self.register_buffer("share", torch.ones(()))

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
        parts = self.share * self.out((weights.unsqueeze(-1) * values).flatten(2))
        return parts, (self.share * self.constant).expand(rows, -1)


class RecommendationHead(nn.Module):
    """How well items fit people, as a product of two towers, beside what the trend says of an item.

    An item's vector is what its content says, a vector of its own that begins at zero, and what its
    trend says; of an item without events the content alone. A person's is made of the vectors of
    the last items.

    The towers learn by telling an event's item from those of the batch's other events, whose people
    took them as often as all did. Their product so comes to be how much more often the person takes
    an item than people do (pointwise mutual information: Levy & Goldberg 2014, NeurIPS), and
    popular items do not drown the rest; how often people do, the trend says, as it stands that day.
    Vectors of items that learnt this too would know the popularity of the days that were trained
    on, past by the day of use. (Yi et al. 2019, RecSys, subtract a logarithm of the frequency in
    the batch to have both in one product.)

    A batch's B rows are items that somebody took, encoded anew, and each of its E >= B events, the
    rows' own first, somebody taking some item. All items are kept as they were when the model last
    encoded them. What is kept lags behind, and new among old would tell right from wrong; so new
    vectors are compared with new ones alone, and kept ones with kept ones. Logits are (B + E, E):
    the first B rows compare the rows' people with the rows' items, minus infinity behind them, all
    others the events' people with the events' items. An event's own item stands on the diagonal of
    its part; minus infinity where an item is no wrong answer.

    Beside the product stands what goes with the items of the history, in closed form
    (`learning/recommending/neighbours.py`); how much it counts is chosen after training.

    Args:
        config: of the model.
        facts: `width` S, `num_heads` H, `num_items` N.
    """

    rates: Tensor
    neighbour_share: Tensor
    neighbour_strength: Tensor

    content: ItemContent

    def __init__(self, config: FuselineConfig, facts: dict[str, Any]) -> None:
        super().__init__()
        self._config = config
        width = facts["width"]
        self.own = nn.Embedding(facts["num_items"], width)
        self.trend = nn.Linear(NUM_FEATURES, width, bias=False)
        self.person = PersonTower(width, facts["num_heads"])
        # How much each of the trend's rates counts.
        self.register_buffer("rates", torch.zeros(len(RATES)))
        # How much the items that go with those of the history count, and how strictly they do.
        self.register_buffer("neighbour_share", torch.zeros(()))
        self.register_buffer("neighbour_strength", torch.ones(()))

    def add_content(self, dims: dict[str, int]) -> None:
        """Let items be told apart by their content.

        Args:
            dims: widths of the encoders' vectors by modality.
        """
        self.content = ItemContent(self._config, dims, *self.own.weight.shape)

    @torch.no_grad()
    def reset(self) -> None:
        """Begin with content, people as means of their items, and with the events of a week."""
        self.content.reset()
        for part in (self.own.weight, self.trend.weight):
            part.zero_()
        for part in (self.person.recency, self.person.nothing, self.person.constant):
            part.zero_()
        for layer in (self.person.value, self.person.out):
            layer.weight.copy_(torch.eye(len(layer.weight)))
        self.weigh([WEEK], 1.0)
        self.listen(1.0, 0.0)

    @torch.no_grad()
    def weigh(self, rates: Sequence[int], share: float, trend_share: float = 1.0) -> None:
        """Let the mean of some of the trend's rates and the person's vector count by a share
        each."""
        self.rates.zero_()[list(rates)] = trend_share / len(rates)
        self.person.share.fill_(share)

    @torch.no_grad()
    def listen(self, strength: float, share: float) -> None:
        """Let items that go with those of the history count by a share
        (`learning/recommending/neighbours.py`)."""
        self.neighbour_strength.fill_(strength)
        self.neighbour_share.fill_(share)

    def bias(self, trend: Tensor) -> Tensor:
        """What the trend (..., F) says of items whoever asks, (...)."""
        return trend[..., : len(RATES)] @ self.rates

    def vectors(self, items: Tensor, trend: Tensor, encoded: Encoded | None = None) -> Tensor:
        """Vectors (..., S) of items (...) by number, with the trend (N, F), their content new where
        it is given, else as it is kept."""
        content = self.content(self.content.kept(items) if encoded is None else encoded)
        vectors: Tensor = content + self.own(items) + self.trend(trend[items])
        return vectors

    def people(self, history: Tensor, ages: Tensor, trend: Tensor) -> Tensor:
        """Vectors (E, S) of people by the items (E, L) of their histories, `NOTHING` behind."""
        mask = history != NOTHING
        vectors = self.vectors(history.clamp_min(0), trend) * mask.unsqueeze(-1)
        parts, constant = self.person(vectors, mask, ages)
        vector: Tensor = constant + parts.sum(1)
        return vector

    def forward(self, output: FuselineOutput, batch: Batch) -> HeadOutput:
        """Logits; of items alone, without anybody to recommend them to, what their content says,
        (B, S)."""
        encoded = self.content.encode(output)
        if "taken" not in batch:
            return HeadOutput(self.content(encoded))
        rows, items, trend = len(output.pooled), batch["taken"], batch["trend"]
        people = self.people(batch["history"], batch["history_ages"], trend)
        of_events = people @ self.vectors(items, trend).T
        of_rows = people[:rows] @ self.vectors(items[:rows], trend, encoded).T
        wide = functional.pad(of_rows, (0, len(items) - rows), value=-torch.inf)
        hidden = _no_wrong_answer(batch)
        scores = torch.cat([wide, of_events]).float()
        return HeadOutput(scores.masked_fill(torch.cat([hidden[:rows], hidden]), -torch.inf))


def _no_wrong_answer(batch: Batch) -> Tensor:
    """(E, E) bool: items of other events that are the event's own, or that the same person had
    before or took as another event of the batch."""
    items, users = batch["taken"], batch["users"]
    hidden = (items.unsqueeze(1) == items) | (users.unsqueeze(1) == users)
    for place in range(batch["history"].shape[1]):
        hidden |= batch["history"][:, place].unsqueeze(1) == items
    return hidden.fill_diagonal_(False)
